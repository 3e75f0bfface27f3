-- Which tasks take longest? Half of their runs, and 19 of 20, took no longer than these seconds.
SELECT dag_id, task_id, count(*) AS runs,
       round(quantile_disc(duration, 0.5), 3) AS median_seconds,
       round(quantile_disc(duration, 0.95), 3) AS p95_seconds,
       round(sum(duration) / 3600, 3) AS hours
FROM task_instance
WHERE duration IS NOT NULL
GROUP BY dag_id, task_id
ORDER BY p95_seconds DESC, dag_id, task_id
LIMIT 20
