-- One task of 24 old runs was cleared and ran again in the last minutes; the run's own dates stay as they were.
UPDATE task_instance ti
SET try_number = 2, queued_dttm = moment, scheduled_dttm = moment, start_date = moment, end_date = moment, last_heartbeat_at = moment,
    updated_at = moment
FROM (SELECT run_name(run_moment(run)) AS run_id, run_dag(run) AS dag_id, run_moment(runs() - 1) + number * interval '1 second' AS moment
      FROM generate_series(1::bigint, 24) number, LATERAL (SELECT runs() * number / 27 AS run) r) cleared
WHERE ti.dag_id = cleared.dag_id AND ti.run_id = cleared.run_id AND ti.task_id = task_name(2);
