-- How long do tasks wait in the queue before they start, by pool? Half of them, and 19 of 20, no longer than these seconds.
SELECT pool, count(*) AS tasks,
       round(quantile_disc(epoch(start_date) - epoch(queued_dttm), 0.5), 3) AS median_seconds,
       round(quantile_disc(epoch(start_date) - epoch(queued_dttm), 0.95), 3) AS p95_seconds,
       round(max(epoch(start_date) - epoch(queued_dttm)), 3) AS longest_seconds
FROM task_instance
WHERE start_date >= queued_dttm
GROUP BY pool
ORDER BY p95_seconds DESC, pool
