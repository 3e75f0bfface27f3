"""Unit tests of the engine: no network; AWS in this process (moto)."""

import logging
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "glue"))

import pytest  # noqa: E402
from metadata_export.aws import s3_client  # noqa: E402
from metadata_export.catalog import Catalog, Column, ForeignKey, Heap, Table  # noqa: E402
from metadata_export.parts import MIB  # noqa: E402
from metadata_export.sizes import Size  # noqa: E402
from metadata_export.storage import Store  # noqa: E402
from moto import mock_aws  # noqa: E402

BUCKET = "exports"
REGION: Final = "eu-central-1"


@pytest.fixture(autouse=True)
def no_network(socket_disabled: None) -> None:
    """Fail every test that opens a socket."""


@pytest.fixture(autouse=True)
def unconfigured_log() -> None:
    """Forget how another test's run has configured the log: what `caplog` holds would depend on the order.

    pytest 9.2 gives its handler to every logger that does not propagate when the test's call begins, so one that is
    made to propagate in the call records everything twice: it must be so before.
    """
    logger = logging.getLogger("metadata_export")
    logger.propagate = True
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A bucket that enforces the part minimum."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3_client.cache_clear()
        client = s3_client(REGION)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield Store(client, BUCKET)
    s3_client.cache_clear()


def table(name: str, columns: str, *keys: ForeignKey, heaps: tuple[str, ...] | None = None) -> Table:
    """A table from column names: `!` marks NOT NULL, `@` a moment; its heaps are `schema.name`, itself unless given."""
    parsed = tuple(
        Column(
            name=column.strip("!@"),
            type="timestamp with time zone" if "@" in column else "text",
            not_null="!" in column,
            is_timestamp="@" in column,
        )
        for column in columns.split()
    )
    numbers = tuple(range(1, len(parsed) + 1))
    names = [f"public.{name}"] if heaps is None else heaps
    made = (
        Heap(zlib.crc32(each.encode()), *each.split(".", 1), zlib.crc32(each.encode()), 128, numbers) for each in names
    )
    return Table(name, "public", zlib.crc32(name.encode()), parsed, keys, tuple(made))


def sizes(*tables: Table, total_bytes: int = MIB, pages: int = 128) -> dict[int, Size]:
    """The size of each heap of these tables."""
    return {heap.oid: Size(pages, total_bytes) for table in tables for heap in table.heaps}


def key(parent: str, columns: str, parent_columns: str | None = None, *, enforced: bool = True) -> ForeignKey:
    """A foreign key; the parent's columns have the same names unless given."""
    return ForeignKey("fk", parent, tuple(columns.split()), tuple((parent_columns or columns).split()), enforced)


def catalog(*tables: Table, server_version_num: int = 150_000) -> Catalog:
    """A catalog of these tables."""
    return Catalog({each.name: each for each in tables}, "15.18", server_version_num, {}, {}, ())
