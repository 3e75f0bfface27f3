"""Which columns tell a row of a table from every other one.

Newer summaries say it. For older ones: the primary keys of Airflow 2.9 to 3.3, and where these differ, the unique key
that all of them have, if there is one. A test compares them with the real schemas.
"""

from collections.abc import Collection

from plan_export.table_registry import TABLE_NAMES

_TASK = ("dag_id", "task_id", "run_id", "map_index")
# The newest Airflow's first; that of an export is the first whose columns it has. All other tables: id.
_PRIMARY: dict[str, tuple[tuple[str, ...], ...]] = {
    "asset_active": (("name", "uri"),),
    "asset_alias_asset": (("alias_id", "asset_id"),),
    "asset_alias_asset_event": (("alias_id", "event_id"),),
    "asset_dag_run_queue": (("asset_id", "target_dag_id"),),
    "asset_state_store": (("asset_id", "key"),),
    "asset_trigger": (("asset_id", "trigger_id"),),
    "asset_watcher": (("asset_id", "trigger_id"),),
    "dag": (("dag_id",),),
    "dag_bundle": (("name",),),
    "dag_bundle_team": (("dag_bundle_name", "team_name"),),
    "dag_code": (("id",), ("fileloc_hash",)),
    "dag_favorite": (("user_id", "dag_id"),),
    "dag_owner_attributes": (("dag_id", "owner"),),
    "dag_run_note": (("dag_run_id",),),
    "dag_schedule_asset_alias_reference": (("alias_id", "dag_id"),),
    "dag_schedule_asset_name_reference": (("name", "dag_id"),),
    "dag_schedule_asset_reference": (("asset_id", "dag_id"),),
    "dag_schedule_asset_uri_reference": (("uri", "dag_id"),),
    "dag_schedule_dataset_alias_reference": (("alias_id", "dag_id"),),
    "dag_schedule_dataset_reference": (("dataset_id", "dag_id"),),
    "dag_tag": (("name", "dag_id"),),
    "dag_warning": (("dag_id", "warning_type"),),
    "dagrun_asset_event": (("dag_run_id", "event_id"),),
    "dagrun_dataset_event": (("dag_run_id", "event_id"),),
    "dataset_alias_dataset": (("alias_id", "dataset_id"),),
    "dataset_alias_dataset_event": (("alias_id", "event_id"),),
    "dataset_dag_run_queue": (("dataset_id", "target_dag_id"),),
    "hitl_detail": (("ti_id",),),
    "hitl_detail_history": (("ti_history_id",),),
    "rendered_task_instance_fields": (_TASK,),
    "serialized_dag": (("id",), ("dag_id",)),
    "sla_miss": (("task_id", "dag_id", "execution_date"),),
    "task_inlet_asset_reference": (("asset_id", "dag_id", "task_id"),),
    "task_instance": (("id",), _TASK),
    "task_instance_history": (("task_instance_id",), ("id",)),
    "task_instance_note": (("ti_id",), _TASK),
    "task_map": (_TASK,),
    "task_outlet_asset_reference": (("asset_id", "dag_id", "task_id"),),
    "task_outlet_dataset_reference": (("dataset_id", "dag_id", "task_id"),),
    "team": (("name",),),
    "xcom": (("dag_run_id", "task_id", "map_index", "key"),),
}
_UNIQUE = {"task_instance": _TASK, "task_instance_history": (*_TASK, "try_number")}


def primary_key(table: str, columns: Collection[str]) -> tuple[str, ...] | None:
    """Return the primary key of a table of Airflow that has these columns, or None when it is not known."""
    name = table.rpartition(".")[2]
    keys = _PRIMARY.get(name, (("id",),)) if name in TABLE_NAMES else ()
    return next((key for key in keys if set(key) <= set(columns)), None)


def unique_key(table: str) -> tuple[str, ...] | None:
    """Return a key that a table had in all versions of Airflow though its primary key changed, or None."""
    return _UNIQUE.get(table.rpartition(".")[2])
