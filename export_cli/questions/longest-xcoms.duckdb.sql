-- Which tasks return the longest XComs? In characters; in Airflow 2, which keeps bytes, in bytes.
SELECT dag_id, task_id, key, count(*) AS xcoms, max(length) AS longest, sum(length) AS together
FROM (SELECT *, CASE typeof(value) WHEN 'BLOB' THEN octet_length(TRY_CAST(value AS BLOB))
                                   ELSE length(CAST(value AS VARCHAR)) END AS length
      FROM xcom)
GROUP BY dag_id, task_id, key
ORDER BY longest DESC NULLS LAST, dag_id, task_id, key
LIMIT 20
