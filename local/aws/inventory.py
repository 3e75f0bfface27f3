"""What an emulated account holds, of every service, for a comparison of before and after."""

import json
import urllib.request

PATH = "/_inventory"


def take(endpoint: str) -> set[str]:
    """Return everything in the account as `service/store/key` (objects in S3 as `s3/objects/bucket/key`).

    Args:
        endpoint: of the emulator.
    """
    with urllib.request.urlopen(f"{endpoint}{PATH}", timeout=30) as answer:  # noqa: S310 - our own URL
        return set(json.load(answer))
