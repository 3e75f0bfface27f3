-- Which tasks return the longest XComs? In characters; in Airflow 2, which keeps bytes, in bytes.
-- Where the table has a column value_jsonb (Airflow was upgraded from 2 to 3), write that for each value: newer exports
-- have nothing in value, and the answer would be empty numbers.
SELECT dag_id, task_id, key, count(*) AS xcoms, max(length(value)) AS longest, sum(length(value)) AS together
FROM xcom
WHERE export_id = (SELECT max(export_id) FROM xcom)
GROUP BY dag_id, task_id, key
ORDER BY longest DESC NULLS LAST, dag_id, task_id, key
LIMIT 20
