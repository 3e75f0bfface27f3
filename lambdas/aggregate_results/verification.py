"""Did a group deliver what was planned? Everything that its manifest claims is checked against plan and S3."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from export_contracts.exported_table import ExportedTable
from export_contracts.fields import DocumentError
from export_contracts.layout import table_key
from export_contracts.manifest import Manifest
from export_contracts.parquet import PARQUET
from export_contracts.plan import Export, TableGroup
from export_runtime.cause import Cause, read_cause, valid_run_id
from export_runtime.errors import ArchivedObjectError
from export_runtime.store import ObjectFacts, ObjectStore
from export_runtime.text import shown

from aggregate_results.errors import ManifestError
from aggregate_results.event import Event, GroupResult
from aggregate_results.parquet_verification import parquet_problems
from aggregate_results.schema_verification import schema_problems, tables_made

# A look at an object takes some 20 ms of waiting, an export has some 80 objects.
_CONCURRENT_LOOKS = 8


@dataclass(frozen=True)
class GroupOutcome:
    """What a group delivered, verified.

    ``manifest`` has only the tables that are whole; it is None when nothing can be trusted. ``cause`` says why the
    group failed, and is None when everything that was planned is there. ``missing`` names what is not, as far as it is
    known, ``failed_tables`` the error of what could not be read, ``problems`` what the verification found. ``mistaken``
    names the tables that somebody asked for and the database has not, where nothing else is wrong: no retry helps.
    """

    group: TableGroup
    manifest: Manifest | None = None
    cause: Cause | None = None
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failed_tables: Mapping[str, str] = field(default_factory=dict)
    mistaken: tuple[str, ...] = ()


def verify_groups(event: Event, store: ObjectStore) -> tuple[GroupOutcome, ...]:
    """Return the outcome of every planned group.

    On a retry the groups without a result are those that had succeeded before; they are verified again. Of a group
    whose run failed, what its manifest lists (whichever attempt wrote it) and S3 has still counts. The group has failed
    all the same, even when that is everything: what the run had not reached is not known, and the retry keeps what is
    whole.

    Raises:
        AwsCallError, AwsUnavailableError: S3 refused or did not answer; that says nothing about the export.
    """
    outcomes = tuple(_outcome(event, group, store) for group in event.groups)
    schema = next((each.manifest.schema for each in outcomes if each.manifest and each.manifest.schema), None)
    if schema is None:
        return outcomes
    made = tables_made(store, schema)
    return tuple(_as_the_schema_has_it(event, outcome, made) for outcome in outcomes)


def _as_the_schema_has_it(event: Event, outcome: GroupOutcome, made: frozenset[str]) -> GroupOutcome:
    """Return the outcome without the tables of Airflow's that the schema does not make, which is read after some of
    them: by then a migration has dropped them. The group's next run finds them gone, or again.

    An unknown table may be a leftover of `airflow db clean`, or an extension's, which the extension makes.
    """
    manifest = outcome.manifest
    lost = sorted(manifest.tables.keys() - made - set(manifest.uncatalogued_tables)) if manifest else []
    if manifest is None or not lost:
        return outcome
    problems = [
        f"table {shown(name)} was exported, but the schema does not make it: dropped meanwhile" for name in lost
    ]
    return replace(
        outcome,
        manifest=replace(manifest, tables={name: each for name, each in manifest.tables.items() if name not in lost}),
        cause=outcome.cause or _distrust(event.results.get(outcome.group.group), problems),
        problems=(*outcome.problems, *_of(outcome.group, problems)),
        missing=tuple(sorted({*outcome.missing, *lost})),
        mistaken=(),
    )


def _outcome(event: Event, group: TableGroup, store: ObjectStore) -> GroupOutcome:
    result = event.results.get(group.group)
    if result is None and not event.is_retry:
        return _nothing(group, Cause("the state machine passed no result of this group", None))
    failure = read_cause(result.error, result.cause) if result is not None and not result.succeeded else None
    try:
        manifest = _read_manifest(group, store)
    except ManifestError as error:
        problems = [] if failure else [f"its manifest {store.uri(group.manifest_key)} {error}"]
        return _nothing(group, failure or _distrust(result, problems), _of(group, problems))
    problems = list(_identity_problems(manifest, event.export, group, None if failure else result))
    if problems:
        return _nothing(group, failure or _distrust(result, problems), _of(group, problems))
    return _verified(event, group, manifest, failure, store)


def _nothing(group: TableGroup, cause: Cause, problems: tuple[str, ...] = ()) -> GroupOutcome:
    return GroupOutcome(group, None, cause, problems, tuple(table.table for table in group.tables))


def _verified(
    event: Event, group: TableGroup, manifest: Manifest, failure: Cause | None, store: ObjectStore
) -> GroupOutcome:
    found = [
        *([] if failure else _not_delivered(manifest, group)),  # what a run that failed did not reach is no problem
        *_contradictions(manifest, event.export, group),
        *_not_masked(manifest, event.export),
    ]
    doubtful = {name for name, _ in found}
    listed = {name: table for name, table in manifest.tables.items() if name not in doubtful}
    found += _object_problems(listed, event.export, store)
    if PARQUET in event.export.formats:
        found += parquet_problems(listed, event.export, store)
    bad = {name for name, _ in found}
    whole = {name: table for name, table in listed.items() if name not in bad}
    skipped = {name: reason for name, reason in manifest.skipped_tables.items() if name not in bad}
    told = {*manifest.uncatalogued_tables, *manifest.failed_tables}
    told |= {name for table in group.tables for name in (*manifest.tables, *bad) if table.is_exported_as(name)}
    missing = tuple(sorted({*_not_tried(manifest, group), *told} - whole.keys() - skipped.keys()))
    problems = [problem for _, problem in found]
    schema = None
    if group == event.groups[0]:
        wrong = schema_problems(manifest.schema, event.export, store, failed=failure is not None)
        schema = None if manifest.schema is None or wrong else manifest.schema
        problems += wrong
    return GroupOutcome(
        group,
        replace(
            manifest,
            tables=whole,
            skipped_tables=skipped,
            uncatalogued_tables=tuple(name for name in manifest.uncatalogued_tables if name in whole),
            schema=schema,
        ),
        failure or (_distrust(event.results.get(group.group), problems) if problems else None),
        _of(group, problems),
        missing,
        {name: error for name, error in manifest.failed_tables.items() if name in missing},
        _mistaken(event, group, manifest, failure, bad),
    )


def _mistaken(
    event: Event, group: TableGroup, manifest: Manifest, failure: Cause | None, bad: set[str]
) -> tuple[str, ...]:
    absent = _asked_for_and_absent(manifest, event.export, group)
    return tuple(absent) if failure is None and bad == set(absent) else ()


def _asked_for_and_absent(manifest: Manifest, export: Export, group: TableGroup) -> list[str]:
    skipped = manifest.skipped_tables.keys()
    absent = {name for table in group.tables for name in skipped if table.is_exported_as(name)}
    return sorted(absent & set(export.include_tables))


def _distrust(result: GroupResult | None, problems: list[str]) -> Cause:
    shortened = [*problems[:5], *([f"and {len(problems) - 5} more"] if len(problems) > 5 else [])]
    text = f"its Glue run reported success, but {'; '.join(shortened)}"
    return Cause(text, valid_run_id(result.job_run_id if result else None))


def _of(group: TableGroup, problems: list[str]) -> tuple[str, ...]:
    return tuple(f"group {group.group}: {problem}" for problem in problems)


def _read_manifest(group: TableGroup, store: ObjectStore) -> Manifest:
    try:
        found = store.read(group.manifest_key)
    except ArchivedObjectError as error:  # before a redrive; the group is exported again
        raise ManifestError("is archived") from error
    if found is None:
        raise ManifestError("does not exist")
    try:
        return Manifest.from_bytes(found.body)
    except DocumentError as error:
        raise ManifestError(f"cannot be read: {error}") from error


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


def _not_delivered(manifest: Manifest, group: TableGroup) -> Iterator[tuple[str, str]]:
    """Yield tables that a run which succeeded should have brought, each with what is wrong."""
    exported, skipped = manifest.tables.keys(), manifest.skipped_tables.keys()
    for name in _not_tried(manifest, group):
        yield name, f"planned table {name} is neither exported nor skipped"
    for name in sorted(set(manifest.uncatalogued_tables) - exported - skipped - manifest.failed_tables.keys()):
        yield name, f"unknown table {shown(name)} is neither exported nor skipped"
    for name in sorted(manifest.failed_tables.keys() - exported):
        yield name, f"table {shown(name)} has failed: {shown(manifest.failed_tables[name])}"


def _not_tried(manifest: Manifest, group: TableGroup) -> list[str]:
    """Return the planned tables of which the manifest says nothing."""
    told = [*manifest.tables, *manifest.skipped_tables, *manifest.failed_tables]
    return sorted(table.table for table in group.tables if not any(map(table.is_exported_as, told)))


def _contradictions(manifest: Manifest, export: Export, group: TableGroup) -> Iterator[tuple[str, str]]:
    """Yield tables that do not count although the manifest lists them, each with the reason."""
    exported, skipped = manifest.tables.keys(), manifest.skipped_tables.keys()
    listed = [*exported, *skipped]
    planned = {name: table.window for table in group.tables for name in listed if table.is_exported_as(name)}
    # Somebody asked for it by name: a typo must not pass for an export of everything that was asked for.
    absent = "is not in this database: start a new execution without it, or with its right name"
    for name in _asked_for_and_absent(manifest, export, group):
        yield name, f"table {name}, which include_tables asks for, {absent}"
    for name in sorted(exported & (skipped | manifest.failed_tables.keys())):
        yield name, f"table {shown(name)} is both exported and {'skipped' if name in skipped else 'failed'}"
    for name in sorted(planned.keys() & exported):
        # More than planned is no loss: a table without the columns that its rule needs is exported whole.
        window = manifest.tables[name].window
        if window not in (planned[name], "full"):
            yield name, f"table {name} was exported with window {shown(window)}, not {planned[name]}"
    for name in sorted(exported - planned.keys()):
        if not group.catalogued_tables or name in group.catalogued_tables or name in group.exclude_tables:
            yield name, f"table {shown(name)} was exported, but not planned in this group"


def _not_masked(manifest: Manifest, export: Export) -> Iterator[tuple[str, str]]:
    """Yield tables that hold values of a column to mask."""
    for mask in export.mask_columns:
        table, _, column = mask.partition(".")
        for name in sorted(manifest.tables):
            # A table of another schema has the schema before its name.
            if name.rpartition(".")[2] == table and column not in manifest.masked_columns.get(name, ()):
                yield name, f"table {shown(name)} was exported without masking {column}"


def _object_problems(tables: Mapping[str, ExportedTable], export: Export, store: ObjectStore) -> list[tuple[str, str]]:
    # Where the objects belong, not where the manifest says that they are.
    keys = {name: table_key(export.day_prefix, export.export_id, name) for name in sorted(tables)}
    with ThreadPoolExecutor(_CONCURRENT_LOOKS) as pool:
        looks = pool.map(store.facts, keys.values())
        return [
            (name, problem)
            for (name, key), facts in zip(keys.items(), looks, strict=True)
            for problem in object_problems(name, tables[name], facts, key)
        ]


def object_problems(name: str, table: ExportedTable, facts: ObjectFacts | None, expected_key: str) -> list[str]:
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
        f"has {table.object_bytes} bytes, but its parts have {sum(table.part_sizes)}": sum(table.part_sizes)
        == table.object_bytes,
        f"has {len(table.part_sizes)} parts, but checksum {shown(table.checksum_sha256)}": _parts_agree(table),
    }
    return [f"object {expected_key} {problem}" for problem, fine in checks.items() if not fine]


def _same_checksum(stored: str | None, claimed: str) -> bool:
    # S3 writes a composite checksum as <digest>-<parts> or, in some answers (GetObjectAttributes), without the parts.
    return stored is not None and stored in (claimed, claimed.partition("-")[0])


def _parts_agree(table: ExportedTable) -> bool:
    # A multipart upload has a composite checksum that ends in -N, also with one part; a single put has none.
    _, dash, count = table.checksum_sha256.partition("-")
    return count == str(len(table.part_sizes)) if dash else len(table.part_sizes) == 1
