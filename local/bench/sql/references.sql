ALTER TABLE dag ADD FOREIGN KEY (bundle_name) REFERENCES dag_bundle (name);
ALTER TABLE dag_version ADD FOREIGN KEY (dag_id) REFERENCES dag (dag_id) ON DELETE CASCADE;
ALTER TABLE dag_run ADD FOREIGN KEY (created_dag_version_id) REFERENCES dag_version (id) ON DELETE SET NULL,
    ADD FOREIGN KEY (log_template_id) REFERENCES log_template (id);
ALTER TABLE task_instance ADD FOREIGN KEY (dag_id, run_id) REFERENCES dag_run (dag_id, run_id) ON DELETE CASCADE,
    ADD FOREIGN KEY (dag_version_id) REFERENCES dag_version (id) ON DELETE RESTRICT;
ALTER TABLE xcom ADD FOREIGN KEY (dag_id, task_id, run_id, map_index)
    REFERENCES task_instance (dag_id, task_id, run_id, map_index) ON DELETE CASCADE;
