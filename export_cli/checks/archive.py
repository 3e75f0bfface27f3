"""Which objects cannot be read at once, now or soon.

AWS documented: the storage classes that must be restored before they are read.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
"""

from collections.abc import Mapping
from typing import Any

# S3 Glacier Instant Retrieval (GLACIER_IR) is read like any other class.
ARCHIVE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")


def is_archived(head: Mapping[str, Any]) -> bool:
    """Say whether HeadObject describes an object that must be restored first.

    AWS documented: ``ArchiveStatus`` is that of Intelligent-Tiering; ``Restore`` tells of a temporary copy that can be
    read. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    if head.get("ArchiveStatus"):
        return True
    restored = 'ongoing-request="false"' in head.get("Restore", "")
    return head.get("StorageClass") in ARCHIVE_CLASSES and not restored
