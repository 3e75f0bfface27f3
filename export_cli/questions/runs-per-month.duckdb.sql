-- How many dag runs began in each month, and how many of them failed, as far back as there are exports?
-- over: history
SELECT CAST(date_trunc('month', start_date) AS DATE) AS month, count(*) AS runs,
       count(*) FILTER (WHERE state = 'failed') AS failed
FROM dag_run
WHERE start_date IS NOT NULL
GROUP BY month
ORDER BY month DESC
