"""What a database has that the file of the schema does not make. Airflow has none of it; somebody may have added it."""

from metadata_export.schema.names import USERS, own

LEFT_OUT = f"""
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table'
              END, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm', 'f') AND {USERS} AND {own("pg_class", "c.oid")}
UNION ALL
SELECT format('rule %I on %I.%I', r.rulename, n.nspname, c.relname)
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {USERS} AND {own("pg_class", "c.oid")}
UNION ALL
SELECT format('row security of %I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) AND {USERS}
UNION ALL
SELECT format('function %I.%I', n.nspname, p.proname)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE (p.prokind NOT IN ('f', 'p') OR l.lanname IN ('c', 'internal')) AND {USERS} AND {own("pg_proc", "p.oid")}
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
UNION ALL
SELECT format('operator %I.%s', n.nspname, o.oprname) FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE {USERS} AND {own("pg_operator", "o.oid")}
UNION ALL
SELECT format('operator class %I.%I', n.nspname, o.opcname) FROM pg_opclass o
JOIN pg_namespace n ON n.oid = o.opcnamespace WHERE {USERS} AND {own("pg_opclass", "o.oid")}
UNION ALL
SELECT format('type %I.%I', n.nspname, t.typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'b' AND t.typelem = 0 AND {USERS} AND {own("pg_type", "t.oid")}
UNION ALL
SELECT format('text search configuration %I.%I', n.nspname, t.cfgname) FROM pg_ts_config t
JOIN pg_namespace n ON n.oid = t.cfgnamespace WHERE {USERS} AND {own("pg_ts_config", "t.oid")}
UNION ALL
SELECT pg_describe_object(o.class, o.oid, 0)
FROM (
    SELECT 'pg_cast'::regclass AS class, oid FROM pg_cast
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
    UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
    UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser
    UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template
    UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily
    UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion
    UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language
    UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
    UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am
) AS o
WHERE o.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
UNION ALL
SELECT format('large objects (%s)', count(*)) FROM pg_largeobject_metadata HAVING count(*) > 0
UNION ALL
SELECT 'the comment on schema public' FROM pg_description d
WHERE d.classoid = 'pg_namespace'::regclass AND d.description <> 'standard public schema'
  AND d.objoid = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
UNION ALL
SELECT format('the tablespace of %I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.reltablespace <> 0 AND c.relkind IN ('r', 'p', 'i', 'I') AND {USERS}
UNION ALL
SELECT format('the dependency of %s on extension %I', pg_describe_object(d.classid, d.objid, 0), x.extname)
FROM pg_depend d JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
WHERE d.deptype = 'x'
UNION ALL
SELECT format('extension %I', x.extname) FROM pg_extension x WHERE x.extname <> 'plpgsql' AND x.oid <> ALL ({{}})
ORDER BY 1
"""
