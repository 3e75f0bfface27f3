"""Schemas, extensions, collations, types, domains and functions: what tables are made of."""

from metadata_export.schema.names import USERS, collation, own

SCHEMAS = f"""
SELECT 0::oid, n.oid, 'schema', '', n.nspname, NULL, format('CREATE SCHEMA %I;', n.nspname)
       || COALESCE((SELECT format(E'\\nCOMMENT ON SCHEMA %I IS %L;', n.nspname, d.description) FROM pg_description d
                    WHERE d.classoid = 'pg_namespace'::regclass AND d.objoid = n.oid), '')
FROM pg_namespace n WHERE {USERS} AND n.nspname <> 'public' AND {own("pg_namespace", "n.oid")}
ORDER BY n.nspname
"""
# An extension whose objects nothing of the user's own depends on may not be there to be installed in the target.
NEEDED = """
WITH members AS (
    SELECT classid, objid, refobjid AS extension FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
), made AS (
    SELECT * FROM members
    UNION ALL SELECT m.classid, t.typarray, m.extension FROM members m
    JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid WHERE t.typarray <> 0
)
SELECT m.extension FROM made m
JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype IN ('n', 'a')
WHERE NOT EXISTS (SELECT FROM made o WHERE o.classid = d.classid AND o.objid = d.objid)
"""
EXTENSIONS = f"""
SELECT 0::oid, x.oid, 'extension', n.nspname, x.extname, NULL,
       format('CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA %I CASCADE;', x.extname, n.nspname)
FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
WHERE x.oid IN ({NEEDED}) AND x.extname <> 'plpgsql'
ORDER BY x.extname
"""
COLLATIONS = f"""
SELECT 'pg_collation'::regclass::oid, c.oid, 'collation', n.nspname, c.collname, NULL,
       format('CREATE COLLATION %I.%I (PROVIDER = %s, %s%s%s);', n.nspname, c.collname,
              CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
              CASE WHEN c.collprovider = 'c' THEN format('LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype)
                   ELSE format('LOCALE = %L', COALESCE(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale',
                                                       c.collcollate)) END,
              CASE WHEN NOT c.collisdeterministic THEN ', DETERMINISTIC = false' END,
              ', RULES = ' || quote_literal(to_jsonb(c) ->> 'collicurules'))
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE {USERS} AND {own("pg_collation", "c.oid")}
ORDER BY 4, 5
"""
ENUMS = f"""
SELECT 'pg_type'::regclass::oid, t.oid, 'type', n.nspname, t.typname, NULL,
       format('CREATE TYPE %I.%I AS ENUM (%s);', n.nspname, t.typname,
              (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
               FROM pg_enum e WHERE e.enumtypid = t.oid))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND {USERS} AND {own("pg_type", "t.oid")}
ORDER BY 4, 5
"""
COMPOSITES = f"""
SELECT 'pg_type'::regclass::oid, t.oid, 'type', n.nspname, t.typname, NULL,
       format('CREATE TYPE %I.%I AS (%s);', n.nspname, t.typname,
              (SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                        {collation("a.attcollation", "b.typcollation")}), ', ' ORDER BY a.attnum)
               FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE {USERS} AND {own("pg_type", "t.oid")}
ORDER BY 4, 5
"""
RANGES = f"""
SELECT 'pg_type'::regclass::oid, t.oid, 'type', n.nspname, t.typname, NULL,
       format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s, SUBTYPE_OPCLASS = %I.%I%s%s%s);', n.nspname, t.typname,
              format_type(r.rngsubtype, NULL), s.nspname, o.opcname,
              (SELECT format(', MULTIRANGE_TYPE_NAME = %I.%I', p.nspname, m.typname)
               FROM pg_type m JOIN pg_namespace p ON p.oid = m.typnamespace
               WHERE m.oid = (to_jsonb(r) ->> 'rngmultitypid')::oid),
              (SELECT format(', COLLATION = %I.%I', p.nspname, l.collname)
               FROM pg_collation l JOIN pg_namespace p ON p.oid = l.collnamespace WHERE l.oid = r.rngcollation),
              CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff END)
FROM pg_type t JOIN pg_range r ON r.rngtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_namespace s ON s.oid = o.opcnamespace
WHERE {USERS} AND {own("pg_type", "t.oid")}
ORDER BY 4, 5
"""
DOMAINS = f"""
SELECT 'pg_type'::regclass::oid, t.oid, 'domain', n.nspname, t.typname, NULL,
       format('CREATE DOMAIN %I.%I AS %s%s%s%s%s;', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod),
              {collation("t.typcollation", "b.typcollation")},
              ' DEFAULT ' || COALESCE(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), quote_literal(t.typdefault)),
              CASE WHEN t.typnotnull
                   THEN COALESCE((SELECT format(' CONSTRAINT %I', k.conname) FROM pg_constraint k
                                  WHERE k.contypid = t.oid AND k.contype = 'n'), '') || ' NOT NULL' END,
              (SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ''
                                 ORDER BY k.conname)
               FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated))
FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'd' AND {USERS} AND {own("pg_type", "t.oid")}
ORDER BY 4, 5
"""
FUNCTIONS = f"""
SELECT 'pg_proc'::regclass::oid, p.oid, 'function', n.nspname,
       format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), NULL, pg_get_functiondef(p.oid) || ';'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p') AND l.lanname NOT IN ('c', 'internal') AND {USERS} AND {own("pg_proc", "p.oid")}
ORDER BY 4, 5
"""
QUERIES = (COLLATIONS, ENUMS, COMPOSITES, RANGES, DOMAINS, FUNCTIONS)
