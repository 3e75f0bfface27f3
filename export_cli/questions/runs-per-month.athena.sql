-- How many dag runs began in each month, and how many of them failed, as far back as there are exports?
-- over: history
WITH newest AS (SELECT id, max(export_id) AS export_id FROM dag_run GROUP BY id)
SELECT CAST(date_trunc('month', r.start_date) AS date) AS month, count(*) AS runs,
       count(*) FILTER (WHERE r.state = 'failed') AS failed
FROM dag_run r JOIN newest n ON r.id = n.id AND r.export_id = n.export_id
WHERE r.start_date IS NOT NULL
GROUP BY CAST(date_trunc('month', r.start_date) AS date)
ORDER BY month DESC
