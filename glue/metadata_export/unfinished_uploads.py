"""Multipart uploads that nobody completes cost money until somebody aborts them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from metadata_export.log import warning
from metadata_export.storage import Store


@contextmanager
def aborting_unfinished(store: Store, prefix: str, keys: Collection[str], failed: Collection[str]) -> Iterator[None]:
    """Abort what a killed attempt left of these objects, and what this one leaves of those that fail.

    Args:
        failed: what has failed, filled meanwhile.
    """
    stale = store.abort_uploads(prefix, keys)
    if stale:
        warning(f"aborted {stale} unfinished uploads of an earlier attempt", uploads=stale)
    try:
        yield
    except BaseException:
        store.abort_uploads(prefix, keys)
        raise
    if failed:
        store.abort_uploads(prefix, keys)
