-- How many dag runs began on each day (UTC), by state?
SELECT CAST(start_date AS DATE) AS day, state, count(*) AS runs
FROM dag_run
WHERE start_date IS NOT NULL
GROUP BY day, state
ORDER BY day DESC, state NULLS LAST
