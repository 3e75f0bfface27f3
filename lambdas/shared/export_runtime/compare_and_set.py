"""Compare and set: look at an object, and write it if nobody else has written it since; else look again."""

from collections.abc import Callable
from typing import TypeVar

from export_runtime.errors import ContentionError
from export_runtime.store import ObjectStore, ObjectVersion, StoredObject

ATTEMPTS = 5

T = TypeVar("T")
Seen = StoredObject | ObjectVersion | None
"""the content of an object; which content it has where that cannot be read (archived); or that there is none"""


def compare_and_set(
    store: ObjectStore, key: str, body: bytes, look: Callable[[], Seen], prevents: Callable[[Seen], T | None]
) -> T | None:
    """Write an object, unless what is there prevents it.

    Args:
        store: the bucket.
        key: what to write.
        body: JSON.
        look: reads what is there.
        prevents: tells what about it prevents the writing; None: nothing does.

    Returns:
        What prevented it; None: it is written.

    Raises:
        ContentionError: others were faster every time.
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    for _ in range(ATTEMPTS):
        seen = look()
        if (reason := prevents(seen)) is not None:
            return reason
        if store.write_if_unchanged(key, body, seen):
            return None
    raise ContentionError(f"{store.uri(key)} was changed {ATTEMPTS} times by others. It may pass: try again.")
