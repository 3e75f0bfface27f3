"""A target whose disk is full, for real: a tablespace in a small file system of its own."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from metadata_restore.create import create
from metadata_restore.database import Address
from metadata_restore.errors import TargetError
from metadata_restore.fill import Watcher

from local import postgres
from tests.integration.completeness.databases import Databases
from tests.integration.restore.conftest import AS_EXPORTED, Export, content, export_of, query, with_schema

VERSION = "3.3.1"
DISK_BYTES = 48 << 20
LEFT_BYTES = 512 << 10  # for what is written before the rows
RELATIONS = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of so many bytes, in a mount namespace of its own: that needs no root.

    It is reached by way of the process that keeps the namespace.
    """
    script = (
        f"mount -t tmpfs -o size={DISK_BYTES} none /tmp && mkdir -m 700 /tmp/disk && echo mounted && exec sleep 900"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    pipe = subprocess.PIPE
    keeper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **postgres._as_server_user())
    try:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "mounted\n":
            pytest.skip(f"this machine allows no namespaces of one's own: {keeper.communicate()[1]}")
        yield Path(f"/proc/{keeper.pid}/root/tmp/disk")
    finally:
        keeper.kill()
        keeper.communicate()


@contextmanager
def full_database(databases: Databases, template: str, left: int = LEFT_BYTES) -> Iterator[tuple[str, Path]]:
    """A database on a disk on which little is left."""
    name = f"full-{uuid.uuid4().hex[:8]}"
    with small_disk() as disk, psycopg.connect(databases.server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE \"{name}\" LOCATION '{disk}'".encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" TABLESPACE "{name}"'.encode())
        connection.execute("CHECKPOINT")  # what is written later would need room too
        fill(disk, left)
        try:
            yield databases.server.url(name), disk
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
            connection.execute(f'DROP TABLESPACE "{name}"'.encode())


def fill(disk: Path, left: int) -> None:
    """Leave so many bytes: as the user of the server, for in its namespace there is no other."""
    found = os.statvfs(disk)
    size = found.f_bavail * found.f_frsize - left
    command = ["fallocate", "--length", str(size), str(disk.parent / f"filler-{left}")]
    subprocess.run(command, check=True, **postgres._as_server_user())


@pytest.fixture(scope="module")
def exported(databases: Databases) -> Export:
    url, _ = databases.aged(VERSION)
    return with_schema(export_of(url), url)


def test_given_a_full_disk_when_filled_then_the_target_is_as_it_was(exported: Export, databases: Databases) -> None:
    databases.empty(VERSION)  # makes the template
    with full_database(databases, VERSION) as (url, _):
        before = content(url)
        with pytest.raises(TargetError, match="No space left on device") as caught:
            exported.restore(url)
        assert caught.value.unable
        assert content(url) == before


def test_given_a_full_disk_when_created_then_the_database_is_empty_again(
    exported: Export, databases: Databases
) -> None:
    with full_database(databases, "template0") as (url, _):
        with pytest.raises(TargetError, match="No space left on device"):
            create(Address(url), exported, exported.plan, AS_EXPORTED, None, Watcher())
        assert query(url, RELATIONS) == []


def test_given_a_disk_too_full_to_connect_to_then_what_was_created_is_gone_all_the_same(
    exported: Export, databases: Databases
) -> None:
    """A vacuum of the catalog takes the file away that a session reads first, and the next one must write it anew."""
    with (
        full_database(databases, "template0", 4 << 20) as (url, disk),
        psycopg.connect(url, autocommit=True) as other,
    ):

        def nothing_left(table: str) -> None:
            other.execute("VACUUM pg_attribute")
            fill(disk, 0)
            with pytest.raises(psycopg.OperationalError, match="could not write init file"):
                psycopg.connect(url)

        with pytest.raises(TargetError, match="No space left on device"):
            create(Address(url), exported, exported.plan, AS_EXPORTED, None, Watcher(table=nothing_left), jobs=1)
        assert other.execute(RELATIONS).fetchall() == []
