"""Every table of Airflow's metadata database from 2.9 to 3.3: its group and window rule, or why it is not exported.

Names tables, never columns: columns come from the live catalog. Window rules: docs/contracts/README.md. Tables that an
Airflow version does not have are skipped by the Glue job. Tables that are not here follow what they refer to by foreign
key, and are exported whole otherwise; a group of its own has them, or the first one (``unknown_tables.py``).
"""

from dataclasses import dataclass

DEFINITIONS = "definitions"
RUNS = "runs"
TASKS = "tasks"
LOGS = "logs"
UNCATALOGUED = "uncatalogued"
GROUPS = (DEFINITIONS, RUNS, TASKS, LOGS)


@dataclass(frozen=True)
class RegisteredTable:
    """A table that is exported."""

    name: str
    group: str
    window: str
    any_schema: bool = False
    """exported from whatever schema it is in"""


@dataclass(frozen=True)
class ExcludedTable:
    """A table that is not exported."""

    name: str
    reason: str


TABLES = (
    # What people and DAG files defined. Small, and copied whole: its dates tell when it changed, not when it was used.
    RegisteredTable("ab_group", DEFINITIONS, "full"),
    RegisteredTable("ab_group_role", DEFINITIONS, "full"),
    RegisteredTable("ab_permission", DEFINITIONS, "full"),
    RegisteredTable("ab_permission_view", DEFINITIONS, "full"),
    RegisteredTable("ab_permission_view_role", DEFINITIONS, "full"),
    RegisteredTable("ab_register_user", DEFINITIONS, "full"),
    RegisteredTable("ab_role", DEFINITIONS, "full"),
    RegisteredTable("ab_user", DEFINITIONS, "full"),
    RegisteredTable("ab_user_group", DEFINITIONS, "full"),
    RegisteredTable("ab_user_role", DEFINITIONS, "full"),
    RegisteredTable("ab_view_menu", DEFINITIONS, "full"),
    RegisteredTable("asset", DEFINITIONS, "full"),
    RegisteredTable("asset_active", DEFINITIONS, "full"),
    RegisteredTable("asset_alias", DEFINITIONS, "full"),
    RegisteredTable("asset_alias_asset", DEFINITIONS, "full"),
    RegisteredTable("asset_state_store", DEFINITIONS, "full"),
    RegisteredTable("asset_trigger", DEFINITIONS, "full"),  # 3.0 and 3.1, then asset_watcher
    RegisteredTable("asset_watcher", DEFINITIONS, "full"),
    RegisteredTable("backfill", DEFINITIONS, "full"),
    RegisteredTable("callback", DEFINITIONS, "full"),  # deadline refers to it; until 3.1 callback_request
    RegisteredTable("connection", DEFINITIONS, "full"),
    RegisteredTable("dag", DEFINITIONS, "full"),
    RegisteredTable("dag_bundle", DEFINITIONS, "full"),
    RegisteredTable("dag_bundle_team", DEFINITIONS, "full"),
    RegisteredTable("dag_code", DEFINITIONS, "full"),
    RegisteredTable("dag_favorite", DEFINITIONS, "full"),
    RegisteredTable("dag_owner_attributes", DEFINITIONS, "full"),
    RegisteredTable("dag_pickle", DEFINITIONS, "full"),
    RegisteredTable("dag_schedule_asset_alias_reference", DEFINITIONS, "full"),
    RegisteredTable("dag_schedule_asset_name_reference", DEFINITIONS, "full"),
    RegisteredTable("dag_schedule_asset_reference", DEFINITIONS, "full"),
    RegisteredTable("dag_schedule_asset_uri_reference", DEFINITIONS, "full"),
    RegisteredTable("dag_schedule_dataset_alias_reference", DEFINITIONS, "full"),
    RegisteredTable("dag_schedule_dataset_reference", DEFINITIONS, "full"),
    RegisteredTable("dag_tag", DEFINITIONS, "full"),
    RegisteredTable("dag_version", DEFINITIONS, "full"),
    RegisteredTable("dataset", DEFINITIONS, "full"),
    RegisteredTable("dataset_alias", DEFINITIONS, "full"),
    RegisteredTable("dataset_alias_dataset", DEFINITIONS, "full"),
    RegisteredTable("deadline_alert", DEFINITIONS, "full"),
    RegisteredTable("log_template", DEFINITIONS, "full"),
    RegisteredTable("serialized_dag", DEFINITIONS, "full"),
    RegisteredTable("slot_pool", DEFINITIONS, "full"),
    RegisteredTable("task_inlet_asset_reference", DEFINITIONS, "full"),
    RegisteredTable("task_outlet_asset_reference", DEFINITIONS, "full"),
    RegisteredTable("task_outlet_dataset_reference", DEFINITIONS, "full"),
    RegisteredTable("team", DEFINITIONS, "full"),
    RegisteredTable("trigger", DEFINITIONS, "full"),
    RegisteredTable("variable", DEFINITIONS, "full"),
    # Dag runs and what belongs to them. dag_run decides the window, most others follow it.
    RegisteredTable("asset_alias_asset_event", RUNS, "follow"),
    RegisteredTable("asset_dag_run_queue", RUNS, "date"),
    RegisteredTable("asset_event", RUNS, "event"),
    RegisteredTable("asset_partition_dag_run", RUNS, "date"),
    RegisteredTable("backfill_dag_run", RUNS, "follow"),
    RegisteredTable("dag_run", RUNS, "run"),
    RegisteredTable("dag_run_note", RUNS, "follow"),
    RegisteredTable("dagrun_asset_event", RUNS, "follow"),
    RegisteredTable("dagrun_dataset_event", RUNS, "follow"),
    RegisteredTable("dataset_alias_dataset_event", RUNS, "follow"),
    RegisteredTable("dataset_dag_run_queue", RUNS, "date"),
    RegisteredTable("dataset_event", RUNS, "event"),
    RegisteredTable("deadline", RUNS, "follow"),
    RegisteredTable("partitioned_asset_key_log", RUNS, "date"),
    # Task instances and what belongs to them. Their own dates are NULL until they start, so they follow their run.
    RegisteredTable("hitl_detail", TASKS, "follow"),
    RegisteredTable("hitl_detail_history", TASKS, "follow"),
    RegisteredTable("rendered_task_instance_fields", TASKS, "follow"),
    RegisteredTable("task_fail", TASKS, "follow"),
    RegisteredTable("task_instance", TASKS, "follow"),
    RegisteredTable("task_instance_history", TASKS, "follow"),
    RegisteredTable("task_instance_note", TASKS, "follow"),
    RegisteredTable("task_map", TASKS, "follow"),
    RegisteredTable("task_reschedule", TASKS, "follow"),
    RegisteredTable("task_state_store", TASKS, "follow"),
    RegisteredTable("xcom", TASKS, "follow"),
    # What Airflow did, refers to nothing by foreign key, and grows for ever.
    RegisteredTable("callback_request", LOGS, "date"),
    # MWAA's Celery keeps its results in the same database; `database_table_schemas` tells it in which schema.
    RegisteredTable("celery_taskmeta", LOGS, "date", any_schema=True),
    RegisteredTable("celery_tasksetmeta", LOGS, "date", any_schema=True),
    RegisteredTable("dag_warning", LOGS, "full"),
    RegisteredTable("import_error", LOGS, "full"),
    RegisteredTable("job", LOGS, "date"),
    RegisteredTable("log", LOGS, "date"),
    RegisteredTable("sla_miss", LOGS, "date"),
)

EXCLUDED_TABLES = (
    ExcludedTable("alembic_version", "the summary names the schema version in alembic_heads"),
    ExcludedTable("alembic_version_fab", "the summary names the schema version in alembic_heads"),
    ExcludedTable("connection_test_request", "requests that live for seconds"),
    ExcludedTable("dag_priority_parsing_request", "requests that live for seconds"),
    ExcludedTable("revoked_token", "logins that ended; without use in another environment"),
    ExcludedTable("session", "browser sessions, which are credentials"),
)

WINDOWS = {table.name: table.window for table in TABLES if table.window != "full"}
TABLE_NAMES = frozenset(table.name for table in TABLES)
EXCLUSION_REASONS = {table.name: table.reason for table in EXCLUDED_TABLES}
CATALOGUED_NAMES = tuple(sorted(TABLE_NAMES | EXCLUSION_REASONS.keys()))
