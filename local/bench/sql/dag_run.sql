INSERT INTO dag_run
SELECT run + 1, run_dag(run), at, at, at + interval '2 seconds', at + interval '90 seconds' + spent,
       CASE WHEN pseudo_random(run, 1, 50) = 0 THEN 'failed' ELSE 'success' END,
       run_name(at), 4711 + run / 5000, 'scheduled', 'timetable', NULL,
       CASE WHEN run % 4 = 0 THEN jsonb_build_object('region', 'eu-west-1', 'full_refresh', false, 'batch', run) ELSE '{}' END,
       at, at + interval '1 hour', at + interval '1 hour', at + interval '91 seconds' + spent, 1, at, at + interval '91 seconds' + spent,
       0, NULL, NULL, 4711 + run / 5000, '{}', 'not_started', version_id(run_dag(run)), NULL, NULL
FROM generate_series(0::bigint, runs() - 1) run,
     LATERAL (SELECT run_moment(run) AS at, pseudo_random(run, 2, 1800000) * interval '1 millisecond' AS spent OFFSET 0);

ALTER TABLE dag_run ADD PRIMARY KEY (id), ADD UNIQUE (dag_id, run_id), ADD UNIQUE (dag_id, logical_date);
CREATE INDEX dag_id_state ON dag_run (dag_id, state);
CREATE INDEX idx_dag_run_created_dag_version_id ON dag_run (created_dag_version_id);
CREATE INDEX idx_dag_run_dag_id ON dag_run (dag_id);
CREATE INDEX idx_dag_run_queued_dags ON dag_run (state, dag_id) WHERE state = 'queued';
CREATE INDEX idx_dag_run_run_after ON dag_run (run_after);
CREATE INDEX idx_dag_run_running_dags ON dag_run (state, dag_id) WHERE state = 'running';
