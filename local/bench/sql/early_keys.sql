-- The indexes that are there before the first row: by the first a row is found to be updated, and because of the second
-- an update may not stay on its page (HOT), as in Airflow, where the column is in several. The others are made at the end.
ALTER TABLE dag_run ADD PRIMARY KEY (id);
CREATE INDEX dag_id_state ON dag_run (dag_id, state);
ALTER TABLE task_instance ADD PRIMARY KEY (id);
CREATE INDEX ti_dag_state ON task_instance (dag_id, state);
