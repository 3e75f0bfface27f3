-- A run is inserted when it is queued, and updated as it goes on: so the rows of PostgreSQL move, and the heap has holes.
CREATE TEMP TABLE IF NOT EXISTS queued_run (LIKE dag_run) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS finished_run (LIKE dag_run) ON COMMIT DELETE ROWS;

INSERT INTO finished_run
SELECT run + 1, run_dag(run), at, at, at + interval '2 seconds', at + interval '90 seconds' + spent,
       CASE WHEN pseudo_random(run, 1, 50) = 0 THEN 'failed' ELSE 'success' END,
       run_name(at), 4711 + run / 5000, 'scheduled', 'timetable', NULL,
       CASE WHEN run % 4 = 0 THEN jsonb_build_object('region', 'eu-west-1', 'full_refresh', false, 'batch', run) ELSE '{}' END,
       at, at + interval '1 hour', at + interval '1 hour', at + interval '91 seconds' + spent, 1, at, at + interval '91 seconds' + spent,
       0, NULL, NULL, 4711 + run / 5000, '{}', 'not_started', version_id(run_dag(run)), NULL, NULL
FROM slice_of_runs() run,
     LATERAL (SELECT run_moment(run) AS at, pseudo_random(run, 2, 1800000) * interval '1 millisecond' AS spent OFFSET 0);

INSERT INTO queued_run TABLE finished_run;
UPDATE queued_run SET state = 'queued', start_date = NULL, end_date = NULL, last_scheduling_decision = NULL, updated_at = created_at;
INSERT INTO dag_run TABLE queued_run;

UPDATE dag_run SET state = 'running', start_date = f.start_date, updated_at = f.start_date FROM finished_run f WHERE dag_run.id = f.id;
UPDATE dag_run SET last_scheduling_decision = f.start_date FROM finished_run f WHERE dag_run.id = f.id;
UPDATE dag_run
SET state = f.state, end_date = f.end_date, last_scheduling_decision = f.last_scheduling_decision, updated_at = f.updated_at
FROM finished_run f WHERE dag_run.id = f.id;
