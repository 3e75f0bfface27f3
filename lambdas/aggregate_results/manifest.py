"""A group's manifest (docs/contracts/group_manifest.schema.json): read strictly, because a Glue run wrote it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from export_contracts.formats import READABLE, is_readable
from export_runtime.text import shown

from aggregate_results.errors import ManifestError

_SINCE_FORMAT_2: Mapping[str, Any] = {"failed_tables": {}, "orphans": {}, "unread_evidence": []}


@dataclass(frozen=True)
class ManifestTable:
    """An exported table. Sizes in bytes; ``content`` is the manifest's whole entry."""

    key: str
    rows: int
    csv_bytes: int
    object_bytes: int
    checksum_sha256: str
    part_sizes: tuple[int, ...]
    window: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """What one Glue run delivered."""

    export_id: str
    group: str
    job_run_id: str
    cutoff: str | None
    consistency: str
    snapshot_owner: str
    server_version: str
    duration_seconds: float
    alembic_heads: Mapping[str, list[str]]
    tables: Mapping[str, ManifestTable]
    failed_tables: Mapping[str, str]
    skipped_tables: Mapping[str, str]
    uncatalogued_tables: tuple[str, ...]
    orphans: Mapping[str, int]
    unread_evidence: tuple[str, ...]
    masked_columns: Mapping[str, list[str]]


def parse_manifest(body: bytes) -> Manifest:
    """Return the manifest.

    Raises:
        ManifestError: it is truncated, of another format, or a field is missing or of another type.
    """
    try:
        content = json.loads(body)
    except ValueError as error:
        raise ManifestError(f"is not JSON (truncated after {len(body)} bytes?)") from error
    if not isinstance(content, dict):
        raise ManifestError(f"is {shown(content)}, not a JSON object")
    version = content.get("format_version")
    if not is_readable(version):
        raise ManifestError(f"has format_version {shown(version)}, not one of {', '.join(map(str, READABLE))}")
    return _manifest(content if version != 1 else {**_SINCE_FORMAT_2, **content})


def _manifest(content: dict[str, Any]) -> Manifest:
    database, snapshot = _field(content, "database", dict), _field(content, "snapshot", dict)
    skipped, failed = _field(content, "skipped_tables", dict), _field(content, "failed_tables", dict)
    orphans = _field(content, "orphans", dict)
    return Manifest(
        export_id=_field(content, "export_id", str),
        group=_field(content, "group", str),
        job_run_id=_field(content, "job_run_id", str),
        cutoff=_field(content, "cutoff", str | None),
        consistency=_field(content, "consistency", str),
        snapshot_owner=_field(snapshot, "claimed_by", str),
        server_version=_field(database, "server_version", str),
        duration_seconds=_field(content, "duration_seconds", int | float),
        alembic_heads=_field(database, "alembic_heads", dict),
        tables={name: _table(name, entry) for name, entry in _field(content, "tables", dict).items()},
        failed_tables={name: _field(failed, name, str) for name in failed},
        skipped_tables={name: _field(skipped, name, str) for name in skipped},
        uncatalogued_tables=tuple(_field(content, "uncatalogued_tables", list)),
        orphans={name: _field(orphans, name, int) for name in orphans},
        unread_evidence=tuple(_field(content, "unread_evidence", list)),
        masked_columns=_lists(content.get("masked_columns", {})),
    )


def _table(name: str, entry: object) -> ManifestTable:
    if not isinstance(entry, dict):
        raise ManifestError(f"has {shown(entry)} for table {shown(name)}, not an object")
    return ManifestTable(
        key=_field(entry, "key", str),
        rows=_field(entry, "rows", int),
        csv_bytes=_field(entry, "csv_bytes", int),
        object_bytes=_field(entry, "object_bytes", int),
        checksum_sha256=_field(entry, "checksum_sha256", str),
        part_sizes=tuple(_field(entry, "part_sizes", list)),
        window=_field(entry, "window", str),
        content=entry,
    )


def _lists(content: object) -> Mapping[str, list[str]]:
    if not isinstance(content, dict):
        raise ManifestError(f"has {shown(content)} as masked_columns")
    return {name: _field(content, name, list) for name in content}


def _field(content: Mapping[str, Any], name: str, kind: Any) -> Any:
    if name not in content:
        raise ManifestError(f"lacks {name}")
    value = content[name]
    # bool is a subclass of int, and no field of ours is a bool.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ManifestError(f"has {shown(value)} as {name}")
    return value
