-- How long do tasks wait in the queue before they start, by pool? Half of them, and 19 of 20, no longer than these seconds.
WITH waited AS (
    SELECT pool, to_unixtime(start_date) - to_unixtime(queued_dttm) AS seconds
    FROM task_instance
    WHERE export_id = (SELECT max(export_id) FROM task_instance) AND start_date >= queued_dttm
)
SELECT pool, count(*) AS tasks,
       round(element_at(array_sort(array_agg(seconds)), CAST(ceil(count(*) * 5e-1) AS integer)), 3) AS median_seconds,
       round(element_at(array_sort(array_agg(seconds)), CAST(ceil(count(*) * 95e-2) AS integer)), 3) AS p95_seconds,
       round(max(seconds), 3) AS longest_seconds
FROM waited
GROUP BY pool
ORDER BY p95_seconds DESC, pool
