"""What is made after the rows are loaded, the foreign keys at the end: PostgreSQL checks each key against all rows."""

from metadata_export.schema.names import USERS, own, there

OF_TABLE = f"""
JOIN pg_class c ON c.oid = {{}} AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {USERS} AND {own("pg_class", "c.oid")}
"""
ONLY = "CASE WHEN c.relkind = 'r' THEN 'ONLY ' END"
# PostgreSQL prints the storage parameters of the index behind an exclusion, and not those behind a key.
KEYS = f"""
SELECT CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' ELSE 'exclusion' END,
       n.nspname, k.conname, c.relname, format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s%s%s;', n.nspname, c.relname,
              k.conname, left(d.told, length(d.told) - length(d.deferrable)),
              (SELECT format(' WITH (%s)', string_agg(format('%I=%L', split_part(o, '=', 1),
                                                             substr(o, strpos(o, '=') + 1)), ', '))
               FROM unnest(x.reloptions) AS o WHERE k.contype <> 'x' HAVING count(*) > 0), d.deferrable)
FROM pg_constraint k LEFT JOIN pg_class x ON x.oid = k.conindid
CROSS JOIN LATERAL (
    SELECT told, substring(told FROM '\\)(( DEFERRABLE)?( INITIALLY DEFERRED)?)$') AS deferrable
    FROM (SELECT pg_get_constraintdef(k.oid)) AS f(told)) AS d
{OF_TABLE.format("k.conrelid")} AND k.contype IN ('p', 'u', 'x')
ORDER BY n.nspname, c.relname, k.contype <> 'p', k.conname
"""
# PostgreSQL puts them into partitions and children by itself. One of NOT NULL is here if rows may break it.
CHECKS = f"""
SELECT 'check', n.nspname, k.conname, c.relname, format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s;', n.nspname,
                                                        c.relname, k.conname, pg_get_constraintdef(k.oid))
FROM pg_constraint k {OF_TABLE.format("k.conrelid")}
AND (k.contype = 'c' OR (k.contype = 'n' AND NOT k.convalidated)) AND k.conislocal
ORDER BY n.nspname, c.relname, k.conname
"""
DOMAIN_CHECKS = f"""
SELECT 'check', n.nspname, k.conname, NULL, format('ALTER DOMAIN %I.%I ADD CONSTRAINT %I %s;', n.nspname, t.typname,
                                                   k.conname, pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE k.contype = 'c' AND NOT k.convalidated AND {USERS} AND {own("pg_type", "t.oid")}
ORDER BY n.nspname, t.typname, k.conname
"""
# An index that is not valid is what CREATE INDEX CONCURRENTLY has left behind when it failed.
INDEXES = f"""
SELECT 'index', n.nspname, x.relname, c.relname, pg_get_indexdef(i.indexrelid) || ';'
       || COALESCE((SELECT string_agg(format(E'\\nALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s;', n.nspname,
                                             x.relname, a.attnum, a.attstattarget), '' ORDER BY a.attnum)
                    FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0), '')
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid {OF_TABLE.format("i.indrelid")}
AND (i.indisvalid OR c.relkind = 'p') AND NOT EXISTS (
    SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY n.nspname, c.relname, x.relname
"""
INDEX_PARTITIONS = f"""
SELECT 'index partition', n.nspname, x.relname, c.relname, format('ALTER INDEX %I.%I ATTACH PARTITION %I.%I;',
                                                                  m.nspname, p.relname, n.nspname, x.relname)
FROM pg_inherits h JOIN pg_class x ON x.oid = h.inhrelid AND x.relkind IN ('i', 'I')
JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace m ON m.oid = p.relnamespace
JOIN pg_index i ON i.indexrelid = x.oid {OF_TABLE.format("i.indrelid")}
ORDER BY n.nspname, c.relname, x.relname
"""
MARKED_INDEXES = f"""
SELECT 'index mark', n.nspname, x.relname, c.relname,
       CASE WHEN i.indisclustered THEN format('ALTER TABLE %I.%I CLUSTER ON %I;', n.nspname, c.relname, x.relname)
            ELSE '' END
       || CASE WHEN i.indisreplident AND c.relreplident = 'i'
               THEN format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY USING INDEX %I;', n.nspname, c.relname, x.relname)
               ELSE '' END
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid {OF_TABLE.format("i.indrelid")}
AND (i.indisclustered OR (i.indisreplident AND c.relreplident = 'i'))
ORDER BY n.nspname, c.relname, x.relname
"""
STATISTICS = f"""
SELECT 'statistics', n.nspname, s.stxname, c.relname, pg_get_statisticsobjdef(s.oid) || ';'
       || COALESCE((SELECT format(E'\\nALTER STATISTICS %I.%I SET STATISTICS %s;', m.nspname, s.stxname, t.target)
                    FROM (SELECT (to_jsonb(s) ->> 'stxstattarget')::int AS target) AS t WHERE t.target >= 0), '')
FROM pg_statistic_ext s JOIN pg_namespace m ON m.oid = s.stxnamespace {OF_TABLE.format("s.stxrelid")}
ORDER BY n.nspname, c.relname, s.stxname
"""
# All of a table in one statement, which locks the table and those it refers to once.
FOREIGN_KEYS = f"""
SELECT 'foreign keys', n.nspname, c.relname, c.relname,
       format('ALTER TABLE %s%I.%I%s;', {ONLY}, n.nspname, c.relname,
              string_agg(format(E'\\n    ADD CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ','
                         ORDER BY k.conname))
FROM pg_constraint k {OF_TABLE.format("k.conrelid")} AND k.contype = 'f' AND k.conparentid = 0
  AND {there("k.confrelid")}
GROUP BY n.nspname, c.relname, c.relkind
ORDER BY n.nspname, c.relname
"""
TRIGGERS = f"""
SELECT 'trigger', n.nspname, t.tgname, c.relname, pg_get_triggerdef(t.oid) || ';'
       || CASE t.tgenabled WHEN 'O' THEN '' ELSE format(E'\\nALTER TABLE %I.%I %s TRIGGER %I;', n.nspname, c.relname,
              CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
              t.tgname) END
FROM pg_trigger t {OF_TABLE.format("t.tgrelid")} AND NOT t.tgisinternal AND t.tgparentid = 0
ORDER BY n.nspname, c.relname, t.tgname
"""
# Of what is left out no comment may be here: one on nothing is an error.
COMMENTS = f"""
SELECT 'comment', n.nspname, o.name, o.of_table,
       format('COMMENT ON %s %I.%I%s IS %L;', o.kind, n.nspname, o.object, o.part, d.description)
FROM pg_description d
JOIN (
    SELECT 'pg_class'::regclass AS class, c.oid AS oid, 0 AS number, c.relnamespace AS space, c.relname AS name,
           CASE WHEN c.relkind IN ('r', 'p') THEN c.relname END AS of_table, CASE WHEN c.relkind = 'S' THEN 'SEQUENCE'
           WHEN c.relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END AS kind, c.relname AS object, '' AS part
    FROM pg_class c WHERE c.relkind IN ('r', 'p', 'S', 'i', 'I') AND {there("c.oid")} AND NOT EXISTS (
        SELECT FROM pg_index i JOIN pg_class m ON m.oid = i.indrelid
        WHERE i.indexrelid = c.oid AND m.relkind NOT IN ('r', 'p'))
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, a.attnum, c.relnamespace, a.attname, CASE WHEN c.relkind <> 'c' THEN c.relname
           END, 'COLUMN', c.relname, format('.%I', a.attname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'c') AND {there("c.oid")}
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0, t.typnamespace, t.typname, NULL,
           CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.typname, ''
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'r', 'c') AND COALESCE(c.relkind, 'c') IN ('c', 'r', 'p')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0, p.pronamespace, p.proname, NULL,
           CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.proname,
           format('(%s)', pg_get_function_identity_arguments(p.oid))
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.prokind IN ('f', 'p') AND l.lanname NOT IN ('c', 'internal')
    UNION ALL
    SELECT 'pg_collation'::regclass, l.oid, 0, l.collnamespace, l.collname, NULL, 'COLLATION', l.collname, ''
    FROM pg_collation l
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, 0, s.stxnamespace, s.stxname, NULL, 'STATISTICS', s.stxname, ''
    FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid AND c.relkind IN ('r', 'p') AND {there("c.oid")}
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, 0, k.connamespace, k.conname, NULL,
           format('CONSTRAINT %I ON DOMAIN', k.conname), t.typname, ''
    FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, 0, c.relnamespace, k.conname, c.relname,
           format('CONSTRAINT %I ON', k.conname), c.relname, ''
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid AND c.relkind IN ('r', 'p') AND {there("c.oid")}
    UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, 0, c.relnamespace, t.tgname, c.relname, format('TRIGGER %I ON', t.tgname),
           c.relname, ''
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid AND c.relkind IN ('r', 'p') AND {there("c.oid")}
) AS o ON o.class = d.classoid AND o.oid = d.objoid AND o.number = d.objsubid
JOIN pg_namespace n ON n.oid = o.space
WHERE {USERS} AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid
                              AND e.deptype = 'e')
ORDER BY n.nspname, o.of_table, o.kind, o.name
"""
QUERIES = (
    KEYS, CHECKS, DOMAIN_CHECKS, INDEXES, INDEX_PARTITIONS, MARKED_INDEXES, STATISTICS, FOREIGN_KEYS, TRIGGERS,
    COMMENTS,
)  # fmt: skip
