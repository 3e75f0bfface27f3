"""Tables and sequences: all that has to be there before rows are loaded."""

from metadata_export.schema.names import USERS, collation, own, there

SEQUENCE_OPTIONS = """
format('AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s', format_type(q.seqtypid, NULL),
       q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' END)
"""
# One that belongs to an identity column is made with its table.
SEQUENCES = f"""
SELECT 'pg_class'::regclass::oid, c.oid, 'sequence', n.nspname, c.relname, NULL,
       format('CREATE %sSEQUENCE %I.%I %s;', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, n.nspname, c.relname,
              {SEQUENCE_OPTIONS})
FROM pg_class c JOIN pg_sequence q ON q.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {USERS} AND {own("pg_class", "c.oid")} AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
ORDER BY 4, 5
"""
# Of an identity column without a sequence of its own (a partition's) the parent has it.
IDENTITY = f"""
SELECT format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I %s)',
              CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, m.nspname, s.relname,
              regexp_replace({SEQUENCE_OPTIONS}, '^AS [a-z]+ ', ''))
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid JOIN pg_sequence q ON q.seqrelid = s.oid
JOIN pg_namespace m ON m.oid = s.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
  AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND a.attidentity <> ''
"""
DEFAULT = """
CASE WHEN a.attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%s)%s', pg_get_expr(f.adbin, f.adrelid),
                                           CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END)
     ELSE ' DEFAULT ' || pg_get_expr(f.adbin, f.adrelid) END
"""
# From PostgreSQL 18 on a constraint with a name. One that a parent's brings must not become the child's own.
NOT_NULL = """
CASE WHEN k.oid IS NOT NULL THEN
       CASE WHEN k.convalidated AND (k.conislocal OR c.relispartition)
            THEN format(' CONSTRAINT %I NOT NULL%s', k.conname, CASE WHEN k.connoinherit THEN ' NO INHERIT' END) END
     WHEN a.attnotnull AND NOT v.has_names THEN ' NOT NULL' END
"""
OF_COLUMN = """
pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
"""
COLUMNS = f"""
SELECT string_agg(E'\\n    ' || line, ',' ORDER BY place) FROM (
    SELECT a.attnum AS place, format('%I %s%s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                     {collation("a.attcollation", "t.typcollation")}, {DEFAULT}, ({IDENTITY}),
                                     {NOT_NULL}) AS line
    FROM {OF_COLUMN}
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND (a.attislocal OR c.relispartition)
    UNION ALL
    SELECT 10000 + a.attnum, format('CONSTRAINT %I NOT NULL %I%s', k.conname, a.attname,
                                    CASE WHEN k.connoinherit THEN ' NO INHERIT' END)
    FROM {OF_COLUMN}
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT (a.attislocal OR c.relispartition)
      AND k.conislocal AND k.convalidated
) AS listed
"""
PARENTS = """
SELECT format(' INHERITS (%s)', string_agg(format('%I.%I', m.nspname, p.relname), ', ' ORDER BY i.inhseqno))
FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace m ON m.oid = p.relnamespace
WHERE i.inhrelid = c.oid AND NOT c.relispartition HAVING count(*) > 0
"""
# of the table and, each with toast. before it, of its TOAST table
OPTIONS = """
SELECT format(' WITH (%s)', string_agg(o.prefix || format('%I=%L', split_part(o.setting, '=', 1),
                                                          substr(o.setting, strpos(o.setting, '=') + 1)), ', '))
FROM (SELECT '' AS prefix, unnest(c.reloptions) AS setting
      UNION ALL SELECT 'toast.', unnest(x.reloptions) FROM pg_class x WHERE x.oid = c.reltoastrelid) AS o
HAVING count(*) > 0
"""
# What CREATE TABLE has no words for, and what a child has otherwise than its parent.
ALTERATIONS = f"""
SELECT string_agg(format(E'\\nALTER TABLE ONLY %I.%I ALTER COLUMN %I %s;', n.nspname, c.relname, a.attname, w.what), ''
                  ORDER BY a.attnum, w.what)
FROM {OF_COLUMN}
CROSS JOIN LATERAL (VALUES
    (CASE WHEN a.attstorage <> t.typstorage THEN 'SET STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN'
          WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
    ('SET COMPRESSION ' || CASE to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END),
    (CASE WHEN a.attstattarget >= 0 THEN 'SET STATISTICS ' || a.attstattarget END),
    ('SET (' || array_to_string(a.attoptions, ', ') || ')'),
    (CASE WHEN NOT (a.attislocal OR c.relispartition) AND a.attgenerated = ''
          THEN COALESCE('SET' || {DEFAULT}, 'DROP DEFAULT') END),
    (CASE WHEN NOT (a.attislocal OR c.relispartition) AND a.attnotnull AND NOT v.has_names THEN 'SET NOT NULL' END)
) AS w(what)
WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND w.what IS NOT NULL
"""
OWNED = """
SELECT string_agg(format(E'\\nALTER SEQUENCE %I.%I OWNED BY %I.%I.%I;', m.nspname, s.relname, n.nspname, c.relname,
                         a.attname), '' ORDER BY m.nspname, s.relname)
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace m ON m.oid = s.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
  AND d.refobjid = c.oid AND d.refobjsubid > 0
"""
# What an identity column numbers by is made as its table is, logged or not.
LOGGED = """
SELECT string_agg(format(E'\\nALTER SEQUENCE %I.%I SET %s;', m.nspname, s.relname,
                         CASE s.relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE 'LOGGED' END), ''
                  ORDER BY m.nspname, s.relname)
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace m ON m.oid = s.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
  AND d.refobjid = c.oid AND d.refobjsubid > 0 AND s.relpersistence <> c.relpersistence
"""
TABLES = f"""
SELECT 'pg_class'::regclass::oid, c.oid, 'table', n.nspname, c.relname, c.relname,
       format(E'CREATE %sTABLE %I.%I (%s\\n)%s%s%s%s;', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' END, n.nspname,
              c.relname, ({COLUMNS}), ({PARENTS}),
              CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) END,
              (SELECT format(' USING %I', m.amname) FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap'),
              ({OPTIONS}))
       || COALESCE(({ALTERATIONS}), '') || COALESCE(({OWNED}), '') || COALESCE(({LOGGED}), '')
       || COALESCE((SELECT format(E'\\nALTER TABLE ONLY %I.%I OF %s;', n.nspname, c.relname,
                                  format_type(c.reloftype, NULL)) WHERE c.reloftype <> 0), '')
       || COALESCE((SELECT format(E'\\nALTER TABLE ONLY %I.%I REPLICA IDENTITY %s;', n.nspname, c.relname,
                                  CASE c.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)
                    WHERE c.relreplident IN ('f', 'n')), ''),
       c.relkind = 'p' OR EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (SELECT current_setting('server_version_num')::int >= 180000 AS has_names) AS v
WHERE c.relkind IN ('r', 'p') AND {USERS} AND {own("pg_class", "c.oid")}
ORDER BY 4, 5
"""
# The name and the kind by which an error of a definition that is gone can be told.
PARTITIONS = f"""
SELECT 'pg_inherits'::regclass::oid, c.oid, 'partition', n.nspname, c.relname, c.relname,
       format('ALTER TABLE ONLY %I.%I ATTACH PARTITION %I.%I %s;', m.nspname, p.relname, n.nspname, c.relname,
              pg_get_expr(c.relpartbound, c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace m ON m.oid = p.relnamespace AND {there("p.oid")}
WHERE c.relkind IN ('r', 'p') AND c.relispartition AND {USERS} AND {own("pg_class", "c.oid")}
  AND NOT COALESCE((to_jsonb(i) ->> 'inhdetachpending')::boolean, false)
ORDER BY n.nspname, c.relname
"""
