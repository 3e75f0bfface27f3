-- The window of an export as somebody who knows Airflow's tables would write it for one psql: which runs are selected is
-- found once, and what belongs to them is read through the indexes that Airflow has. `cutoff` is given by -v.
BEGIN ISOLATION LEVEL REPEATABLE READ;

CREATE TEMP TABLE selected AS
SELECT id, dag_id, run_id FROM dag_run
WHERE GREATEST(queued_at, logical_date, start_date, end_date, data_interval_start, data_interval_end, run_after, last_scheduling_decision,
               created_at, updated_at, partition_date) >= :'cutoff'
   OR state IS NULL OR state NOT IN ('success', 'failed')
UNION
SELECT r.id, r.dag_id, r.run_id
FROM (SELECT DISTINCT dag_id, run_id FROM task_instance
      WHERE GREATEST(start_date, end_date, queued_dttm, scheduled_dttm, last_heartbeat_at, updated_at) >= :'cutoff') touched
JOIN dag_run r USING (dag_id, run_id)
UNION
SELECT r.id, r.dag_id, r.run_id
FROM (SELECT DISTINCT dag_run_id FROM xcom WHERE timestamp >= :'cutoff') touched JOIN dag_run r ON r.id = touched.dag_run_id;
CREATE UNIQUE INDEX ON selected (dag_id, run_id);
ANALYZE selected;

COPY log_template TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > log_template.csv.gz
COPY dag_bundle TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > dag_bundle.csv.gz
COPY dag TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > dag.csv.gz
COPY dag_version TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > dag_version.csv.gz
COPY (SELECT r.* FROM selected JOIN dag_run r USING (id)) TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > dag_run.csv.gz
COPY (SELECT t.* FROM selected s JOIN task_instance t ON t.dag_id = s.dag_id AND t.run_id = s.run_id) TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > task_instance.csv.gz
COPY (SELECT x.* FROM selected s JOIN xcom x ON x.dag_run_id = s.id) TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > xcom.csv.gz
COPY (SELECT * FROM log WHERE dttm >= :'cutoff') TO STDOUT (FORMAT csv, HEADER) \g |gzip -1 > log.csv.gz

COMMIT;
