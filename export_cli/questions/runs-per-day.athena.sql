-- How many dag runs began on each day (UTC), by state?
SELECT CAST(start_date AS date) AS day, state, count(*) AS runs
FROM dag_run
WHERE export_id = (SELECT max(export_id) FROM dag_run) AND start_date IS NOT NULL
GROUP BY CAST(start_date AS date), state
ORDER BY day DESC, state NULLS LAST
