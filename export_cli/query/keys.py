"""Which columns tell a row of a table from every other one.

Newer summaries say it. For older ones: the primary keys of Airflow 2.9 to 3.3, and where these differ, a unique key
that all of them have. A test compares them with the real schemas.
"""

from collections.abc import Iterable, Sequence

from plan_export.table_registry import TABLE_NAMES

_TASK = ("dag_id", "task_id", "run_id", "map_index")
# All other tables of the registry: id.
_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
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
    "task_instance_history": (("task_instance_id",), ("id",), (*_TASK, "try_number")),
    "task_instance_note": (("ti_id",), _TASK),
    "task_map": (_TASK,),
    "task_outlet_asset_reference": (("asset_id", "dag_id", "task_id"),),
    "task_outlet_dataset_reference": (("dataset_id", "dag_id", "task_id"),),
    "team": (("name",),),
    "xcom": (("dag_run_id", "task_id", "map_index", "key"),),
}


def known_keys(table: str) -> tuple[tuple[str, ...], ...]:
    """Return the keys of a table, the primary key of the newest Airflow first; none when it is not known."""
    name = table.rpartition(".")[2]
    return _KEYS.get(name, (("id",),)) if name in TABLE_NAMES else ()


def best_key(candidates: Iterable[Sequence[str]], columns: Sequence[frozenset[str]]) -> tuple[str, ...] | None:
    """Return the key that most exports have from the newest back, the first one of those that are equal.

    Args:
        candidates: keys, the best first.
        columns: those of each export, the newest first.
    """
    best, covers = None, 0
    for key in candidates:
        has = sum(columns_of >= set(key) for columns_of in columns)
        if has > covers and columns[0] >= set(key):
            best, covers = tuple(key), has
    return best
