"""Did a table lose rows since the last COMPLETE export? An export can be complete and still tell of a loss."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from export_contracts.coverage import is_same_kind
from export_contracts.findings import RowFall
from export_contracts.layout import started_at
from export_contracts.past_exports import SUMMARIES_READ, pointed_key, readable_summary, summary_keys
from export_contracts.plan import Export
from export_contracts.summary import Summary
from export_runtime.errors import AwsCallError
from export_runtime.store import ObjectStore
from export_runtime.text import one_line

# Below this a table's rows rise and fall by themselves: 3 of 5 dag runs out of the window are no loss.
MINIMUM_ROWS = 100
# Other exports may lie between two of the same kind: how far back the last one of this kind is looked for.
DAYS_BACK = 31


@dataclass(frozen=True)
class Comparison:
    """The tables that fell too far, the largest fall of all tables in percent, and the summary compared with.

    ``compared_with`` is None when there is no previous export that can be compared; ``problem`` says why the previous
    one could not be read. ``explained`` names the tables that are gone because Airflow's version has changed.
    """

    falls: tuple[RowFall, ...] = ()
    largest_percent: float = 0.0
    compared_with: str | None = None
    problem: str | None = None
    explained: tuple[str, ...] = ()


def compare_rows(store: ObjectStore, export: Export, summary: Summary, fall_percent: int) -> Comparison:
    """Compare a COMPLETE export with the last one before it of the same selection and age.

    A table that the previous export had and this one lacks counts as one without rows, unless Airflow's version has
    changed in between: versions rename and drop tables, and nobody needs a warning of that.

    Args:
        store: export bucket.
        export: this execution's.
        summary: of this export.
        fall_percent: the fall from which on a table is named.

    Raises:
        AwsUnavailableError: see ``aws_call``. What S3 refuses (a summary moved to Glacier) is told as a problem.
    """
    try:
        found = _previous(store, export)
    except AwsCallError as error:
        return Comparison(problem=one_line(str(error), 1000))
    if found is None:
        return Comparison()
    key, previous = found
    explained = _explained(previous, summary)
    had = {table: rows for table, rows in previous.tables.items() if table not in explained}
    falls = sorted(_falls(had, summary.tables), key=lambda fall: -fall.percent)
    return Comparison(
        falls=tuple(fall for fall in falls if fall.percent >= fall_percent),
        largest_percent=falls[0].percent if falls else 0.0,
        compared_with=store.uri(key),
        explained=explained,
    )


def _explained(previous: Summary, summary: Summary) -> tuple[str, ...]:
    was, now = previous.airflow_version, summary.airflow_version
    if was is None or now is None or was == now:
        return ()
    return tuple(sorted(previous.tables.keys() - summary.tables.keys()))


def _previous(store: ObjectStore, export: Export) -> tuple[str, Summary] | None:
    for key in islice(_keys_before(store, export), SUMMARIES_READ):
        summary = readable_summary(store, key)
        if summary and _comparable(summary, export):
            return key, summary
    return None


def _keys_before(store: ObjectStore, export: Export) -> Iterator[str]:
    """Yield the key that latest.json names, however old it is, and those of the summaries before this one's."""
    pointed, started = pointed_key(store, export.latest_key), started_at(export.export_id)
    return summary_keys(store, export.root, pointed, started, DAYS_BACK, before=export.summary_key)


def _comparable(previous: Summary, export: Export) -> bool:
    # When an older export is redriven, latest.json names a newer one; after a lost answer it names this one.
    earlier = previous.export_id < export.export_id
    return earlier and previous.complete and is_same_kind(previous, export.environment, export.coverage)


def _falls(previous: Mapping[str, int], rows: Mapping[str, int]) -> Iterator[RowFall]:
    for table, had in previous.items():
        has = rows.get(table, 0)
        if had >= MINIMUM_ROWS and has < had:
            yield RowFall(table, had, has, round(100 * (had - has) / had, 1))
