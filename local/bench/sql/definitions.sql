INSERT INTO log_template VALUES
    (1, 'dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}/task_id={{ ti.task_id }}/attempt={{ try_number }}.log',
     '{dag_id}-{task_id}-{run_id}-{map_index}-{try_number}', '2025-10-01 00:00:00+00');

INSERT INTO dag_bundle VALUES ('dags-folder', true, NULL, '2026-11-01 00:00:00+00', NULL, NULL);

INSERT INTO dag (dag_id, is_paused, is_stale, last_parsed_time, last_parse_duration, fileloc, relative_fileloc, bundle_name, owners,
                 timetable_type, timetable_summary, partition_mapper_info, max_active_tasks, max_active_runs,
                 max_consecutive_failed_dag_runs, has_task_concurrency_limits)
SELECT run_dag(run), false, false, '2026-11-01 00:00:00+00', 0.25, '/usr/local/airflow/dags/' || run_dag(run) || '.py',
       run_dag(run) || '.py', 'dags-folder', 'data-platform', 'airflow.timetables.interval.CronDataIntervalTimetable', '0 * * * *',
       '{}', 16, 16, 0, false
FROM generate_series(0, 199) run;

INSERT INTO dag_version (id, version_number, dag_id, bundle_name, created_at, last_updated)
SELECT version_id(dag_id), 1, dag_id, 'dags-folder', '2025-10-01 00:00:00+00', '2025-10-01 00:00:00+00'
FROM dag;

ALTER TABLE log_template ADD PRIMARY KEY (id);
ALTER TABLE dag_bundle ADD PRIMARY KEY (name);
ALTER TABLE dag ADD PRIMARY KEY (dag_id);
CREATE INDEX idx_next_dagrun_create_after ON dag (next_dagrun_create_after);
ALTER TABLE dag_version ADD PRIMARY KEY (id), ADD UNIQUE (dag_id, version_number);
