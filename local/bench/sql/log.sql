INSERT INTO log
SELECT run * 9 + event + 1, moment + event * interval '48.777 seconds', run_dag(run), task_name(event / 2), -1,
       (ARRAY['running', 'success', 'running', 'success', 'running', 'success', 'cli_task_run', 'success', 'trigger'])[1 + event], moment, run_name(moment),
       'data-platform', NULL,
       CASE WHEN event IN (6, 8) THEN format('{"host_name": "%s", "full_command": "[''/usr/local/airflow/.local/bin/airflow'', ''tasks'', ''run'', ''%s'', ''%s'', ''%s'', ''--local'']"}',
                                        host_name(run + event), run_dag(run), task_name(event / 2), run_name(moment)) END,
       CASE WHEN event <> 8 THEN 1 END
FROM slice_of_runs() run, generate_series(0::bigint, 8) event,
     LATERAL (SELECT run_moment(run) AS moment OFFSET 0) n;
