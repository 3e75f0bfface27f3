-- Which DAGs are new, gone, or were paused, unpaused or rescheduled between the newest two exports?
-- over: two exports
WITH before AS (SELECT * FROM versions.dag WHERE export_id = (SELECT min(export_id) FROM exports)),
     after AS (SELECT * FROM versions.dag WHERE export_id = (SELECT max(export_id) FROM exports))
SELECT coalesce(after.dag_id, before.dag_id) AS dag_id,
       CASE WHEN before.dag_id IS NULL THEN 'new' WHEN after.dag_id IS NULL THEN 'gone' ELSE 'changed' END AS what,
       before.is_paused AS was_paused, after.is_paused AS is_paused,
       before.timetable_description AS schedule_before, after.timetable_description AS schedule_after
FROM before FULL JOIN after ON before.dag_id = after.dag_id
WHERE before.dag_id IS NULL OR after.dag_id IS NULL OR before.is_paused IS DISTINCT FROM after.is_paused
   OR before.timetable_description IS DISTINCT FROM after.timetable_description
ORDER BY dag_id
