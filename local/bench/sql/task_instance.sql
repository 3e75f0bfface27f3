INSERT INTO task_instance
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(digest, 1, 3) || 'a' || substr(digest, 4, 15))::uuid,
       task_name(task), run_dag(run), run_name(moment), -1, at, at + spent * interval '1 second', spent,
       CASE WHEN chance < 3 THEN 'failed' WHEN chance < 8 THEN 'skipped' ELSE 'success' END,
       CASE WHEN chance < 15 THEN 2 ELSE 1 END, 2, host_name(number), 'airflow', 'default_pool', 1, 'default', 6 - task,
       (ARRAY['S3KeySensor', 'PythonOperator', '_PythonDecoratedOperator', 'GlueJobOperator', 'RedshiftDataOperator', 'BashOperator'])[1 + task],
       CASE WHEN task = 2 THEN '@task' END, at - interval '1.25 seconds', at - interval '2.5 seconds', 4711 + run / 5000,
       at + spent * interval '1 second', 100 + chance * 30, NULL, '\x80057d942e', at + spent * interval '1 second', NULL, '{}',
       'not_started', md5(digest)::uuid, NULL, NULL, NULL, CASE WHEN task = 0 THEN '{}'::jsonb END, task_name(task),
       version_id(run_dag(run)), NULL, NULL
FROM generate_series(0::bigint, runs() - 1) run, generate_series(0::bigint, 5) task,
     LATERAL (SELECT run * 6 + task AS number, run_moment(run) AS moment OFFSET 0) n,
     LATERAL (SELECT md5(number::text) AS digest, pseudo_random(number, 3, 1000) AS chance,
                     moment + task * interval '97.531 seconds' AS at, pseudo_random(number, 4, 240000) / 1000.0::float8 AS spent OFFSET 0) t;

ALTER TABLE task_instance ADD PRIMARY KEY (id), ADD CONSTRAINT task_instance_composite_key UNIQUE (dag_id, task_id, run_id, map_index);
CREATE INDEX ti_dag_run ON task_instance (dag_id, run_id);
CREATE INDEX ti_dag_state ON task_instance (dag_id, state);
CREATE INDEX ti_dag_version_id ON task_instance (dag_version_id);
CREATE INDEX ti_heartbeat ON task_instance (last_heartbeat_at);
CREATE INDEX ti_pool ON task_instance (pool, state, priority_weight);
CREATE INDEX ti_state ON task_instance (state);
CREATE INDEX ti_state_lkp ON task_instance (dag_id, task_id, run_id, state);
CREATE INDEX ti_trigger_id ON task_instance (trigger_id);
