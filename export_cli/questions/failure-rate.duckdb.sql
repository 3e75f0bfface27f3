-- Which DAGs fail most often? Of the runs that ended, in percent.
SELECT dag_id, count(*) AS runs, count(*) FILTER (WHERE state = 'failed') AS failed,
       round(1e2 * count(*) FILTER (WHERE state = 'failed') / count(*), 1) AS percent,
       max(end_date) FILTER (WHERE state = 'failed') AS last_failure
FROM dag_run
WHERE state IN ('success', 'failed')
GROUP BY dag_id
ORDER BY percent DESC, failed DESC, dag_id
