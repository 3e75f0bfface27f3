-- Which DAGs are new, gone, or were paused, unpaused or rescheduled between the newest two exports?
-- over: two exports
WITH newest AS (SELECT max(export_id) AS export_id FROM dag),
     second AS (SELECT max(export_id) AS export_id FROM dag WHERE export_id < (SELECT export_id FROM newest)),
     before AS (SELECT * FROM dag WHERE export_id = (SELECT export_id FROM second)),
     after AS (SELECT * FROM dag WHERE export_id = (SELECT export_id FROM newest))
SELECT coalesce(a.dag_id, b.dag_id) AS dag_id,
       CASE WHEN b.dag_id IS NULL THEN 'new' WHEN a.dag_id IS NULL THEN 'gone' ELSE 'changed' END AS what,
       b.is_paused AS was_paused, a.is_paused AS is_paused,
       b.timetable_description AS schedule_before, a.timetable_description AS schedule_after
FROM before b FULL OUTER JOIN after a ON b.dag_id = a.dag_id
WHERE b.dag_id IS NULL OR a.dag_id IS NULL OR b.is_paused IS DISTINCT FROM a.is_paused
   OR b.timetable_description IS DISTINCT FROM a.timetable_description
ORDER BY coalesce(a.dag_id, b.dag_id)
