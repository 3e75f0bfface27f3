"""What the account holds, of every service: the keys of every store that ministack would save.

Listing by AWS's own operations would miss whatever nobody thought of, and that is what a leftover is.

AWS nothing: this is no API of AWS.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from ministack import app
from ministack.services import s3

from local.aws.inventory import PATH
from local.aws.patches.replace import attribute, wrap
from local.aws.settings import Settings


def apply(_: Settings) -> None:
    """Answer `PATH`."""
    attribute(app, "_build_persistence_save_dict")
    attribute(s3, "_buckets")
    wrap(app, "_dispatch_service_request", _with_inventory)


def _with_inventory(original: Callable[..., Any]) -> Callable[..., Any]:
    async def dispatch(method: str, path: str, *request: Any) -> Any:
        if path != PATH:
            return await original(method, path, *request)
        return 200, {"Content-Type": "application/json"}, json.dumps(sorted(_everything())).encode()

    return dispatch


def _everything() -> Iterator[str]:
    for service, state in app._build_persistence_save_dict().items():
        for store, held in state().items():
            if hasattr(held, "items"):  # what is no mapping is a counter or a setting
                entries = getattr(held, "_data", held).items()
                yield from (f"{service}/{store}/{_name(key)}" for key, value in entries if not _is_deleted(value))
    for scope, bucket in s3._buckets._data.items():
        yield from (f"s3/objects/{_name(scope)}/{key}" for key in bucket.get("objects", {}))


def _is_deleted(value: Any) -> bool:
    """A layer without versions is only the counter that numbers the next one; AWS lists no such layer either."""
    versions = value.get("versions") if isinstance(value, dict) else None
    return isinstance(versions, list) and all(version.get("_deleted") for version in versions)


def _name(key: Any) -> str:
    """A store keeps its entries by account and region; there is one account here."""
    return str(key[-1]) if isinstance(key, tuple) else str(key)
