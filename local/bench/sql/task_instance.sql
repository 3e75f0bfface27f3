-- As dag_run.sql: queued, running, a heartbeat, ended.
CREATE TEMP TABLE IF NOT EXISTS scheduled_task (LIKE task_instance) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS finished_task (LIKE task_instance) ON COMMIT DELETE ROWS;

INSERT INTO finished_task
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(digest, 1, 3) || 'a' || substr(digest, 4, 15))::uuid,
       task_name(task), run_dag(run), run_name(moment), -1, at, at + spent * interval '1 second', spent,
       CASE WHEN chance < 3 THEN 'failed' WHEN chance < 8 THEN 'skipped' ELSE 'success' END,
       CASE WHEN chance < 15 THEN 2 ELSE 1 END, 2, host_name(number), 'airflow', 'default_pool', 1, 'default', 6 - task,
       (ARRAY['S3KeySensor', 'PythonOperator', '_PythonDecoratedOperator', 'GlueJobOperator', 'RedshiftDataOperator', 'BashOperator'])[1 + task],
       CASE WHEN task = 2 THEN '@task' END, at - interval '1.25 seconds', at - interval '2.5 seconds', 4711 + run / 5000,
       at + spent * interval '1 second', 100 + chance * 30, NULL, '\x80057d942e', at + spent * interval '1 second', NULL, '{}',
       'not_started', md5(digest)::uuid, NULL, NULL, NULL, CASE WHEN task = 0 THEN '{}'::jsonb END, task_name(task),
       version_id(run_dag(run)), NULL, NULL
FROM slice_of_runs() run, generate_series(0::bigint, 5) task,
     LATERAL (SELECT run * 6 + task AS number, run_moment(run) AS moment OFFSET 0) n,
     LATERAL (SELECT md5(number::text) AS digest, pseudo_random(number, 3, 1000) AS chance,
                     moment + task * interval '97.531 seconds' AS at, pseudo_random(number, 4, 240000) / 1000.0::float8 AS spent OFFSET 0) t;

INSERT INTO scheduled_task TABLE finished_task;
UPDATE scheduled_task
SET state = 'scheduled', start_date = NULL, end_date = NULL, duration = NULL, hostname = '', pid = NULL, try_number = 0, queued_dttm = NULL,
    queued_by_job_id = NULL, last_heartbeat_at = NULL, external_executor_id = NULL, updated_at = scheduled_dttm;
INSERT INTO task_instance TABLE scheduled_task;

UPDATE task_instance ti SET state = 'queued', queued_dttm = f.queued_dttm, queued_by_job_id = f.queued_by_job_id, updated_at = f.queued_dttm
FROM finished_task f WHERE ti.id = f.id;
UPDATE task_instance ti
SET state = 'running', start_date = f.start_date, hostname = f.hostname, pid = f.pid, try_number = f.try_number,
    external_executor_id = f.external_executor_id, updated_at = f.start_date
FROM finished_task f WHERE ti.id = f.id;
UPDATE task_instance ti SET last_heartbeat_at = f.start_date + interval '5 seconds' FROM finished_task f WHERE ti.id = f.id;
UPDATE task_instance ti
SET state = f.state, end_date = f.end_date, duration = f.duration, last_heartbeat_at = f.last_heartbeat_at, updated_at = f.updated_at
FROM finished_task f WHERE ti.id = f.id;
