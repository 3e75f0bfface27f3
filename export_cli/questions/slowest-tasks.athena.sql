-- Which tasks take longest? Half of their runs, and 19 of 20, took no longer than these seconds.
SELECT dag_id, task_id, count(*) AS runs,
       round(element_at(array_sort(array_agg(duration)), CAST(ceil(count(*) * 5e-1) AS integer)), 3) AS median_seconds,
       round(element_at(array_sort(array_agg(duration)), CAST(ceil(count(*) * 95e-2) AS integer)), 3) AS p95_seconds,
       round(sum(duration) / 3600, 3) AS hours
FROM task_instance
WHERE export_id = (SELECT max(export_id) FROM task_instance) AND duration IS NOT NULL
GROUP BY dag_id, task_id
ORDER BY p95_seconds DESC, dag_id, task_id
LIMIT 20
