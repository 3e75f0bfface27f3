-- Four of six tasks return something: mostly a few bytes, one in ten a list of about 1 kB, one in a thousand about 45 kB.
INSERT INTO xcom
SELECT run + 1, task_name(task), -1, 'return_value', NULL, run_dag(run), run_name(moment),
       CASE WHEN chance = 0 THEN (SELECT jsonb_agg(jsonb_build_object('id', i, 'sha', md5((number * i)::text))) FROM generate_series(1, 600) i)
            WHEN chance < 100 THEN (SELECT jsonb_agg(md5((number + i)::text)) FROM generate_series(1, 5 + chance / 2) i)
            WHEN chance < 600 THEN jsonb_build_object('rows', chance * 977, 'bucket', 'analytics-landing', 'checksum', md5(number::text),
                                                      'key', format('%s/%s/part-%s.parquet', run_dag(run), number, chance))
            WHEN chance < 900 THEN to_jsonb(format('s3://analytics-landing/%s/%s', run_dag(run), number))
            ELSE to_jsonb(number) END,
       moment + task * interval '110 seconds'
FROM slice_of_runs() run, generate_series(1::bigint, 4) task,
     LATERAL (SELECT run * 6 + task AS number, run_moment(run) AS moment OFFSET 0) n,
     LATERAL (SELECT pseudo_random(number, 5, 1000) AS chance OFFSET 0) c;
