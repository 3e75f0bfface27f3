"""The foreign keys that Airflow's own migrations make: an export is closed under them even where a database lacks one.

A constraint that somebody has dropped is there again in the database that the export is loaded into. The union of
Airflow 2.9 to 3.3; a test holds it against the migrated schema of each version.
"""

from collections.abc import Mapping
from dataclasses import replace

from metadata_export.catalog import ForeignKey, Table

# child, its columns, parent, the parent's columns
TASK_KEY = "dag_id task_id run_id map_index"
EXPECTED = (
    ("ab_group_role", "group_id", "ab_group", "id"),
    ("ab_group_role", "role_id", "ab_role", "id"),
    ("ab_permission_view", "permission_id", "ab_permission", "id"),
    ("ab_permission_view", "view_menu_id", "ab_view_menu", "id"),
    ("ab_permission_view_role", "permission_view_id", "ab_permission_view", "id"),
    ("ab_permission_view_role", "role_id", "ab_role", "id"),
    ("ab_user", "changed_by_fk", "ab_user", "id"),
    ("ab_user", "created_by_fk", "ab_user", "id"),
    ("ab_user_group", "group_id", "ab_group", "id"),
    ("ab_user_group", "user_id", "ab_user", "id"),
    ("ab_user_role", "role_id", "ab_role", "id"),
    ("ab_user_role", "user_id", "ab_user", "id"),
    ("asset_active", "name uri", "asset", "name uri"),
    ("asset_alias_asset", "asset_id", "asset", "id"),
    ("asset_alias_asset", "alias_id", "asset_alias", "id"),
    ("asset_alias_asset_event", "alias_id", "asset_alias", "id"),
    ("asset_alias_asset_event", "event_id", "asset_event", "id"),
    ("asset_dag_run_queue", "asset_id", "asset", "id"),
    ("asset_dag_run_queue", "target_dag_id", "dag", "dag_id"),
    ("asset_partition_dag_run", "created_dag_run_id", "dag_run", "id"),
    ("asset_state_store", "asset_id", "asset", "id"),
    ("asset_trigger", "asset_id", "asset", "id"),
    ("asset_trigger", "trigger_id", "trigger", "id"),
    ("asset_watcher", "asset_id", "asset", "id"),
    ("asset_watcher", "trigger_id", "trigger", "id"),
    ("backfill_dag_run", "backfill_id", "backfill", "id"),
    ("backfill_dag_run", "dag_run_id", "dag_run", "id"),
    ("callback", "trigger_id", "trigger", "id"),
    ("connection", "team_name", "team", "name"),
    ("dag", "bundle_name", "dag_bundle", "name"),
    ("dag_bundle_team", "dag_bundle_name", "dag_bundle", "name"),
    ("dag_bundle_team", "team_name", "team", "name"),
    ("dag_code", "dag_version_id", "dag_version", "id"),
    ("dag_favorite", "dag_id", "dag", "dag_id"),
    ("dag_owner_attributes", "dag_id", "dag", "dag_id"),
    ("dag_run", "backfill_id", "backfill", "id"),
    ("dag_run", "created_dag_version_id", "dag_version", "id"),
    ("dag_run", "log_template_id", "log_template", "id"),
    ("dag_run_note", "user_id", "ab_user", "id"),
    ("dag_run_note", "dag_run_id", "dag_run", "id"),
    ("dag_schedule_asset_alias_reference", "alias_id", "asset_alias", "id"),
    ("dag_schedule_asset_alias_reference", "dag_id", "dag", "dag_id"),
    ("dag_schedule_asset_name_reference", "dag_id", "dag", "dag_id"),
    ("dag_schedule_asset_reference", "asset_id", "asset", "id"),
    ("dag_schedule_asset_reference", "dag_id", "dag", "dag_id"),
    ("dag_schedule_asset_uri_reference", "dag_id", "dag", "dag_id"),
    ("dag_schedule_dataset_alias_reference", "dag_id", "dag", "dag_id"),
    ("dag_schedule_dataset_alias_reference", "alias_id", "dataset_alias", "id"),
    ("dag_schedule_dataset_reference", "dag_id", "dag", "dag_id"),
    ("dag_schedule_dataset_reference", "dataset_id", "dataset", "id"),
    ("dag_tag", "dag_id", "dag", "dag_id"),
    ("dag_version", "dag_id", "dag", "dag_id"),
    ("dag_warning", "dag_id", "dag", "dag_id"),
    ("dagrun_asset_event", "event_id", "asset_event", "id"),
    ("dagrun_asset_event", "dag_run_id", "dag_run", "id"),
    ("dagrun_dataset_event", "dag_run_id", "dag_run", "id"),
    ("dagrun_dataset_event", "event_id", "dataset_event", "id"),
    ("dataset_alias_dataset", "dataset_id", "dataset", "id"),
    ("dataset_alias_dataset", "alias_id", "dataset_alias", "id"),
    ("dataset_alias_dataset_event", "alias_id", "dataset_alias", "id"),
    ("dataset_alias_dataset_event", "event_id", "dataset_event", "id"),
    ("dataset_dag_run_queue", "target_dag_id", "dag", "dag_id"),
    ("dataset_dag_run_queue", "dataset_id", "dataset", "id"),
    ("deadline", "callback_id", "callback", "id"),
    ("deadline", "dag_id", "dag", "dag_id"),
    ("deadline", "dagrun_id", "dag_run", "id"),
    ("deadline", "deadline_alert_id", "deadline_alert", "id"),
    ("deadline_alert", "serialized_dag_id", "serialized_dag", "id"),
    ("hitl_detail", "ti_id", "task_instance", "id"),
    ("hitl_detail_history", "ti_history_id", "task_instance_history", "task_instance_id"),
    (
        "rendered_task_instance_fields",
        TASK_KEY,
        "task_instance",
        TASK_KEY,
    ),
    ("serialized_dag", "dag_version_id", "dag_version", "id"),
    ("slot_pool", "team_name", "team", "name"),
    ("task_fail", TASK_KEY, "task_instance", TASK_KEY),
    ("task_inlet_asset_reference", "asset_id", "asset", "id"),
    ("task_inlet_asset_reference", "dag_id", "dag", "dag_id"),
    ("task_instance", "dag_id run_id", "dag_run", "dag_id run_id"),
    ("task_instance", "dag_version_id", "dag_version", "id"),
    ("task_instance", "trigger_id", "trigger", "id"),
    ("task_instance_history", TASK_KEY, "task_instance", TASK_KEY),
    ("task_instance_note", "user_id", "ab_user", "id"),
    ("task_instance_note", TASK_KEY, "task_instance", TASK_KEY),
    ("task_instance_note", "ti_id", "task_instance", "id"),
    ("task_map", TASK_KEY, "task_instance", TASK_KEY),
    ("task_outlet_asset_reference", "asset_id", "asset", "id"),
    ("task_outlet_asset_reference", "dag_id", "dag", "dag_id"),
    ("task_outlet_dataset_reference", "dag_id", "dag", "dag_id"),
    ("task_outlet_dataset_reference", "dataset_id", "dataset", "id"),
    ("task_reschedule", "dag_id run_id", "dag_run", "dag_id run_id"),
    ("task_reschedule", TASK_KEY, "task_instance", TASK_KEY),
    ("task_reschedule", "ti_id", "task_instance", "id"),
    ("task_state_store", "dag_run_id", "dag_run", "id"),
    ("trigger", "team_name", "team", "name"),
    ("variable", "team_name", "team", "name"),
    ("xcom", TASK_KEY, "task_instance", TASK_KEY),
)

AIRFLOW_TABLES = frozenset(name for child, _, parent, _ in EXPECTED for name in (child, parent))


def with_expected_keys(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables, each with the keys that its database lacks though Airflow's migrations make them.

    A key of another version does not belong to this one: then a column is missing, or its two ends differ in type.
    """
    missing: dict[str, list[ForeignKey]] = {}
    for child, columns, parent, parent_columns in EXPECTED:
        if child in tables and parent in tables:
            key = ForeignKey("", parent, tuple(columns.split()), tuple(parent_columns.split()), enforced=False)
            if _fits(tables[child], tables[parent], key) and not _has(tables[child], key):
                missing.setdefault(child, []).append(key)
    return {
        name: replace(table, foreign_keys=(*table.foreign_keys, *missing.get(name, ())))
        for name, table in tables.items()
    }


def _has(table: Table, expected: ForeignKey) -> bool:
    pairs = set(zip(expected.columns, expected.parent_columns, strict=True))
    return any(
        not key.heaps
        and key.parent == expected.parent
        and set(zip(key.columns, key.parent_columns, strict=True)) == pairs
        for key in table.foreign_keys
    )


def _fits(child: Table, parent: Table, key: ForeignKey) -> bool:
    ends = [
        (child.column(one), parent.column(other)) for one, other in zip(key.columns, key.parent_columns, strict=True)
    ]
    return all(one and other and _family(one.type) == _family(other.type) for one, other in ends)


def _family(kind: str) -> str:
    """Return a type without its length: varchar(250) refers to varchar(1500) as well."""
    return kind.partition("(")[0]
