ALTER TABLE xcom ADD PRIMARY KEY (dag_run_id, task_id, map_index, key);
CREATE INDEX idx_xcom_key ON xcom (key);
CREATE INDEX idx_xcom_task_instance ON xcom (dag_id, task_id, run_id, map_index);
