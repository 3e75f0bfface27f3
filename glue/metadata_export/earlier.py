"""What an earlier attempt of this export has delivered: a retry or a redrive repeats only what is missing."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from metadata_export import parquet_target
from metadata_export.delivery import Kept
from metadata_export.errors import StorageError
from metadata_export.log import info, warning
from metadata_export.manifest import file_of, identity
from metadata_export.parquet_target import ParquetTarget
from metadata_export.plan import Extract, GroupPlan
from metadata_export.request import GroupRun
from metadata_export.storage import Store

LOOKS = 8  # at a time, each some 20 ms of waiting
NUMBERS = ("rows", "csv_bytes", "object_bytes")


def keep_whole(
    run: GroupRun, manifest_key: str, store: Store, plan: GroupPlan, alembic_heads: Mapping[str, Sequence[str]]
) -> Kept:
    """Return what need not be exported again: listed by the earlier manifest, as it would be now, and whole in S3.

    Args:
        plan: what this run would export.
        alembic_heads: as they are now; files of two schemas make no export.

    Raises:
        StorageError: the manifest cannot be read.
    """
    manifest = _read(run, manifest_key, store, alembic_heads)
    if manifest is None:
        return Kept()
    if manifest.get("unread_evidence") != list(plan.unread_evidence):
        warning(
            "exporting everything again: other tables could be read when the window was decided, so the window differs"
        )
        return Kept()
    extracts = plan.extracts
    entries = {each.table: manifest["tables"].get(each.table) for each in extracts}
    same = {each.table: entries[each.table] for each in extracts if _is_same(entries[each.table], each)}
    with ThreadPoolExecutor(LOOKS) as pool:
        targets = {each.table: each.parquet for each in extracts}
        whole = pool.map(lambda name: _is_whole(store, same[name], targets[name]), same)
        tables = {name: entry for (name, entry), found in zip(same.items(), whole, strict=True) if found}
    attempt = str(manifest["job_run_id"])
    info(f"kept {len(tables)} tables that the attempt {attempt} has delivered: {len(extracts) - len(tables)} are left")
    orphans = {name: number for name, number in manifest["orphans"].items() if name in tables}
    return Kept(tables, attempt, str(manifest["consistency"]), dict(manifest["snapshot"]), orphans)


def record_whole(store: Store, manifest_key: str, manifest: dict[str, Any]) -> None:
    """Write the manifest of a run that has ended early, so that a retry repeats the rest only."""
    if not manifest["tables"] and not manifest["failed_tables"]:
        return
    try:
        store.put_json(manifest_key, manifest)
        info(f"recorded {len(manifest['tables'])} tables that are whole")
    except StorageError as error:
        warning(f"could not record the tables that are whole: {error}")  # what ended the run is what counts


def _read(run: GroupRun, manifest_key: str, store: Store, heads: Mapping[str, Sequence[str]]) -> dict[str, Any] | None:
    found = store.read(manifest_key)
    if found is None:
        return None
    try:
        manifest = json.loads(found[0])
        fits = identity(run).items() <= manifest.items()
        same_schema = manifest["database"]["alembic_heads"] == {table: list(each) for table, each in heads.items()}
        complete = all(isinstance(manifest[name], dict) for name in ("tables", "snapshot", "orphans"))
        complete = complete and all(isinstance(number, int) for number in manifest["orphans"].values())
        known = isinstance(manifest["job_run_id"], str) and manifest["consistency"] in ("snapshot", "per-group")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        warning(f"exporting everything again: the manifest of the earlier attempt is damaged ({error!r})")
        return None
    if not (fits and same_schema and complete and known):
        warning("exporting everything again: the manifest that is there is of another export, format or schema")
        return None
    return dict(manifest)


def _is_same(entry: object, extract: Extract) -> bool:
    """Return whether an entry is whole in itself, and of the same file as this run would write."""
    return (
        isinstance(entry, dict)
        and file_of(extract).items() <= entry.items()
        and all(isinstance(entry.get(name), int) for name in NUMBERS)
        and isinstance(entry.get("checksum_sha256"), str)
        and isinstance(entry.get("part_sizes"), list)
        and isinstance(entry.get("duration_seconds"), int | float)
        and parquet_target.is_same(entry, extract.parquet)
    )


def _is_whole(store: Store, entry: Mapping[str, Any], parquet: ParquetTarget | None) -> bool:
    """Return whether S3 has the objects, by size and checksum; if it does not say, the table is exported again."""
    try:
        facts = store.facts(entry["key"])
        if not parquet_target.is_whole(store, entry, parquet):
            return False
    except StorageError as error:
        warning(f"exporting again what cannot be looked at: {error}")
        return False
    return facts == (entry["object_bytes"], entry["checksum_sha256"])
