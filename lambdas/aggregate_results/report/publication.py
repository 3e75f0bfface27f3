"""Writes the report beside its summary. An export does not fail because of its report."""

from collections.abc import Callable

from export_contracts.layout import report_key
from export_contracts.plan import Export
from export_contracts.proof import Proof
from export_contracts.summary import Summary
from export_runtime.store import ObjectStore

from aggregate_results.report.document import render_report
from aggregate_results.report.history import read_history

_HISTORY_RESERVE_MS = 120_000


def publish_report(
    store: ObjectStore, export: Export, summary: Summary, proof: Proof | None, remaining_ms: Callable[[], int]
) -> str:
    """Write the report and return its URI.

    Args:
        store: export bucket.
        export: this execution's.
        summary: that was written.
        proof: of the newest export that is proven to restore.
        remaining_ms: what is left of the function's time; the history is shortened when there is little.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    history = read_history(store, export.root, summary, lambda: remaining_ms() > _HISTORY_RESERVE_MS)
    page = render_report(summary, store.uri(export.summary_key), history, proof)
    key = report_key(export.summary_key)
    store.write(key, page.encode(), "text/html; charset=utf-8")
    return store.uri(key)
