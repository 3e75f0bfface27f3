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
SELECT format('extension %I', x.extname) FROM pg_extension x WHERE x.extname <> 'plpgsql' AND x.oid <> ALL ({{}})
ORDER BY 1
"""
