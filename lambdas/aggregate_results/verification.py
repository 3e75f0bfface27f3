"""Did a group deliver what was planned? Everything that its manifest claims is checked against plan and S3."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from export_contracts.cause import Cause, read_cause, valid_run_id
from export_contracts.errors import ArchivedObjectError
from export_contracts.layout import table_key
from export_contracts.plan import Export, TableGroup
from export_contracts.store import ObjectFacts, ObjectStore
from export_contracts.text import shown

from aggregate_results.errors import ManifestError
from aggregate_results.event import Event, GroupResult
from aggregate_results.manifest import Manifest, ManifestTable, parse_manifest

# A look at an object takes some 20 ms of waiting, an export has some 80 objects.
_CONCURRENT_LOOKS = 8


@dataclass(frozen=True)
class GroupOutcome:
    """A group with its verified manifest, or with the cause of its failure and what the verification found."""

    group: TableGroup
    manifest: Manifest | None = None
    cause: Cause | None = None
    problems: tuple[str, ...] = ()


def verify_groups(event: Event, store: ObjectStore) -> tuple[GroupOutcome, ...]:
    """Return the outcome of every planned group.

    On a retry the groups without a result are those that had succeeded before; they are verified again.

    Raises:
        AwsCallError, AwsUnavailableError: S3 refused or did not answer; that says nothing about the export.
    """
    return tuple(_outcome(event, group, store) for group in event.groups)


def _outcome(event: Event, group: TableGroup, store: ObjectStore) -> GroupOutcome:
    result = event.results.get(group.group)
    if result is None and not event.is_retry:
        return GroupOutcome(group, cause=Cause("the state machine passed no result of this group", None))
    if result is not None and not result.succeeded:
        return GroupOutcome(group, cause=read_cause(result.error, result.cause))
    try:
        manifest = _read_manifest(group, store)
    except ManifestError as error:
        return _distrusted(group, result, [f"its manifest {store.uri(group.manifest_key)} {error}"])
    problems = [
        *_identity_problems(manifest, event.export, group, result),
        *_table_problems(manifest, event.export, group),
        *_mask_problems(manifest, event.export),
    ]
    problems = problems or _object_problems(manifest, event.export, store)
    return _distrusted(group, result, problems) if problems else GroupOutcome(group, manifest=manifest)


def _distrusted(group: TableGroup, result: GroupResult | None, problems: list[str]) -> GroupOutcome:
    shortened = [*problems[:5], *([f"and {len(problems) - 5} more"] if len(problems) > 5 else [])]
    text = f"its Glue run reported success, but {'; '.join(shortened)}"
    cause = Cause(text, valid_run_id(result.job_run_id if result else None))
    return GroupOutcome(group, cause=cause, problems=tuple(f"group {group.group}: {problem}" for problem in problems))


def _read_manifest(group: TableGroup, store: ObjectStore) -> Manifest:
    try:
        found = store.read(group.manifest_key)
    except ArchivedObjectError as error:  # before a redrive; the group is exported again
        raise ManifestError("is archived") from error
    if found is None:
        raise ManifestError("does not exist")
    return parse_manifest(found.body)


def _identity_problems(
    manifest: Manifest, export: Export, group: TableGroup, result: GroupResult | None
) -> Iterator[str]:
    claims = [("export_id", manifest.export_id, export.export_id), ("group", manifest.group, group.group)]
    claims.append(("cutoff", manifest.cutoff or "null", export.cutoff or "null"))
    if result is not None:
        claims.append(("job_run_id", manifest.job_run_id, result.job_run_id or "none"))
    for name, has, expected in claims:
        if has != expected:
            yield f"its manifest has {name} {shown(has)}, expected was {shown(expected)}"


def _table_problems(manifest: Manifest, export: Export, group: TableGroup) -> Iterator[str]:
    planned = {table.table: table.window for table in group.tables}
    exported, skipped = manifest.tables.keys(), manifest.skipped_tables.keys()
    for name in sorted(planned.keys() - exported - skipped):
        yield f"planned table {name} is neither exported nor skipped"
    # By name somebody asked for it: a slip of the pen must not pass for an export of everything that was asked for.
    for name in sorted(planned.keys() & skipped & set(export.include_tables)):
        yield (
            f"table {name}, which include_tables asks for, is not in this database: start a new execution without it, "
            "or with its right name"
        )
    for name in sorted(exported & skipped):
        yield f"table {shown(name)} is both exported and skipped"
    for name in sorted(planned.keys() & exported):
        # More than planned is no loss: a table without the columns that its rule needs is exported whole.
        if manifest.tables[name].window not in (planned[name], "full"):
            yield f"table {name} was exported with window {shown(manifest.tables[name].window)}, not {planned[name]}"
    for name in sorted(exported - planned.keys()):
        if not group.catalogued_tables or name in group.catalogued_tables or name in group.exclude_tables:
            yield f"table {shown(name)} was exported, but not planned in this group"


def _mask_problems(manifest: Manifest, export: Export) -> Iterator[str]:
    for mask in export.mask_columns:
        table, _, column = mask.partition(".")
        for name in sorted(manifest.tables):
            # A table of another schema has the schema before its name.
            if name.rpartition(".")[2] == table and column not in manifest.masked_columns.get(name, ()):
                yield f"table {shown(name)} was exported without masking {column}"


def _object_problems(manifest: Manifest, export: Export, store: ObjectStore) -> list[str]:
    # Where the objects belong, not where the manifest says that they are.
    keys = {name: table_key(export.day_prefix, export.export_id, name) for name in sorted(manifest.tables)}
    with ThreadPoolExecutor(_CONCURRENT_LOOKS) as pool:
        looks = pool.map(store.facts, keys.values())
        return [
            problem
            for (name, key), facts in zip(keys.items(), looks, strict=True)
            for problem in object_problems(name, manifest.tables[name], facts, key)
        ]


def object_problems(name: str, table: ManifestTable, facts: ObjectFacts | None, expected_key: str) -> list[str]:
    """Return what contradicts a table's entry in the manifest.

    Args:
        name: of the table.
        table: its entry.
        facts: what S3 says of the object; None: there is none.
        expected_key: where this export's object of the table belongs.
    """
    if table.key != expected_key:
        return [f"table {shown(name)} has key {shown(table.key)}, expected was {expected_key}"]
    if facts is None:
        return [f"object {expected_key} does not exist"]
    checks = {
        f"has {facts.size} bytes, the manifest says {table.object_bytes}": facts.size == table.object_bytes,
        f"has SHA-256 {facts.checksum_sha256}, the manifest says {shown(table.checksum_sha256)}": (
            _same_checksum(facts.checksum_sha256, table.checksum_sha256)
        ),
        f"has {table.object_bytes} bytes, but its parts have {_total(table)}": _total(table) == table.object_bytes,
        f"has {len(table.part_sizes)} parts, but checksum {shown(table.checksum_sha256)}": _parts_agree(table),
    }
    return [f"object {expected_key} {problem}" for problem, fine in checks.items() if not fine]


def _total(table: ManifestTable) -> int | None:
    sizes = table.part_sizes
    return sum(sizes) if all(isinstance(size, int) for size in sizes) else None


def _same_checksum(stored: str | None, claimed: str) -> bool:
    # S3 writes a composite checksum as <digest>-<parts> or, in some answers (GetObjectAttributes), without the parts.
    return stored is not None and stored in (claimed, claimed.partition("-")[0])


def _parts_agree(table: ManifestTable) -> bool:
    # A multipart upload has a composite checksum that ends in -N, also with one part; a single put has none.
    _, dash, count = table.checksum_sha256.partition("-")
    return count == str(len(table.part_sizes)) if dash else len(table.part_sizes) == 1
