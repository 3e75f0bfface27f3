-- Who triggered which DAG by hand, how often, and when last? From the audit log.
SELECT owner, dag_id, count(*) AS times, max(dttm) AS last_time
FROM log
WHERE export_id = (SELECT max(export_id) FROM log) AND lower(event) LIKE '%trigger%' AND dag_id IS NOT NULL
GROUP BY owner, dag_id
ORDER BY times DESC, owner NULLS LAST, dag_id
LIMIT 50
