"""The export bucket as far as it is known without network, and the one that makes it known."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from export_contracts.fields import DocumentError
from export_contracts.layout import SUMMARY_NAME, Layout
from export_contracts.summary import Summary
from export_runtime.store import ObjectFacts, ObjectStore, StoredObject

from export_cli.errors import InvalidOptionError, NotFoundError
from export_cli.query.cache import Cache
from export_cli.target import Choice, Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class RememberingStore(ObjectStore):
    """Keeps every summary and pointer that it reads; a COMPLETE summary is not written again, so it is read once."""

    def __init__(self, client: "S3Client", bucket: str, advice: str, cache: Cache) -> None:
        """Read this bucket."""
        super().__init__(client, bucket, advice)
        self._cache, self._folder = cache, cache.objects(bucket)

    def read(self, key: str) -> StoredObject | None:
        """Return an object, or None when there is none; see ``ObjectStore`` for errors."""
        kept = self._folder / key
        if SUMMARY_NAME in key and _is_complete(kept):
            return StoredObject(kept.read_bytes(), "")
        found = super().read(key)
        if found:
            self._cache.keep(kept, found.body)
        return found


class OfflineStore(ObjectStore):
    """What a ``RememberingStore`` has read before."""

    def __init__(self, bucket: str, cache: Cache) -> None:
        """Never ask S3."""
        self._bucket, self._folder = bucket, cache.objects(bucket)

    def read(self, key: str) -> StoredObject | None:
        """Return an object, or None when it is not known."""
        with contextlib.suppress(OSError):
            return StoredObject((self._folder / key).read_bytes(), "")
        return None

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Return the keys that begin with a prefix."""
        folder = (self._folder / prefix).parent
        found = (str(path.relative_to(self._folder)) for path in folder.glob("*") if path.suffix != ".part")
        return tuple(sorted(key for key in found if key.startswith(prefix)))

    def folders(self, prefix: str) -> tuple[str, ...]:
        """Return the prefixes up to the next slash."""
        found = (path for path in (self._folder / prefix).glob("*") if path.is_dir())
        return tuple(sorted(f"{path.relative_to(self._folder)}/" for path in found))

    def facts(self, key: str) -> ObjectFacts | None:
        """Return the size of a known object."""
        found = self.read(key)
        return ObjectFacts(len(found.body), None) if found else None


def remember_target(cache: Cache, target: Target) -> None:
    """Note where an environment's exports are, for ``known_target``."""
    where = target.where()
    known = _known(cache) | {where.environment: [where.bucket, where.base_prefix]}
    cache.keep(cache.folder / "environments.json", json.dumps(known).encode())


def known_target(cache: Cache, choice: Choice) -> Target:
    """Return an environment that was queried before, without asking AWS.

    Raises:
        NotFoundError: it was not.
        InvalidOptionError: there are several, and none is named.
    """
    known = _known(cache)
    if choice.environment is None and len(known) > 1:
        raise InvalidOptionError(f"Which environment? Say --environment: {', '.join(sorted(known))} are in the cache.")
    name = choice.environment or next(iter(known), "")
    if name not in known:
        raise NotFoundError(
            f"Nothing of {name or 'an environment'} is in {cache.folder}. Query once without --offline."
        )
    bucket, base = known[name]
    return Target(name, Layout(bucket, base, name))


def _known(cache: Cache) -> dict[str, list[str]]:
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # it is damaged, or not there
        content = json.loads((cache.folder / "environments.json").read_text())
        return {name: [str(bucket), str(base)] for name, (bucket, base) in content.items()}
    return {}


def _is_complete(path: Path) -> bool:
    with contextlib.suppress(OSError, DocumentError):
        return Summary.from_bytes(path.read_bytes()).complete
    return False
