"""What Airflow keeps encrypted, read with one Fernet key and written with another, while it streams.

In Airflow 2.9 to 3.3 that is the same (models/connection.py, variable.py, trigger.py): ``connection.password`` and
``.extra`` where their flags say so, ``variable.val`` where its flag does, ``trigger.kwargs`` unless it is plain JSON.
``connection_test_request`` (3.3), requests that live for seconds, is not exported.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from psycopg import sql

from metadata_restore import csv_rows
from metadata_restore.database import Connection, naming
from metadata_restore.errors import FernetKeyError
from metadata_restore.objects import Objects
from metadata_restore.plan import PlannedTable, RestorePlan
from metadata_restore.stream import Rewrite, read
from metadata_restore.target import TargetTable


@dataclass(frozen=True)
class Encrypted:
    """A column, and the one that says of a row whether it is encrypted; None: its value tells."""

    column: str
    flag: str | None


ENCRYPTED: Mapping[str, tuple[Encrypted, ...]] = {
    "connection": (Encrypted("password", "is_encrypted"), Encrypted("extra", "is_extra_encrypted")),
    "variable": (Encrypted("val", "is_encrypted"),),
    "trigger": (Encrypted("kwargs", None),),
}
NAMED_BY = {"connection": "conn_id", "variable": "key", "trigger": "id"}
"""which column names a row for people"""


class Keys(Protocol):
    """How encrypted values are read and written: `keys.FernetKeys`."""

    @property
    def translates(self) -> bool:
        """Whether the target has other keys than the exported environment had."""

    def translate(self, token: str) -> str | None:
        """Return a token as the target can read it; None: it does not decrypt."""


def check_keys(objects: Objects, plan: RestorePlan, keys: Keys, note: Callable[[int], None]) -> dict[str, int]:
    """Read what is encrypted, and return how many values each table has; nothing is loaded.

    Raises:
        FernetKeyError: a value cannot be decrypted.
        DamagedObjectError, ObjectsUnavailableError: an object is not what was exported, or cannot be read.
    """
    return {
        table.name: sum(_translated(table, keys, row) for row in csv_rows.rows(read(objects, table, note)))
        for table in plan.tables
        if table.name in ENCRYPTED
    }


def count_encrypted(
    connection: Connection, tables: Mapping[str, TargetTable], loaded: AbstractSet[str]
) -> dict[str, int]:
    """Return how many rows of the target's loaded tables have a value that is encrypted, by table.

    Raises:
        TargetError: the connection is lost.
    """
    counts = {}
    for name in sorted(loaded & ENCRYPTED.keys()):
        conditions = [_is_encrypted(each) for each in ENCRYPTED[name] if tables[name].has(each.column)]
        query = sql.SQL("SELECT count(*) FROM {} WHERE {}")
        with naming(f"count what is encrypted in {name}"):
            rows = connection.execute(query.format(tables[name].relation, sql.SQL(" OR ").join(conditions))).fetchall()
        counts[name] = int(str(rows[0][0]))
    return {name: number for name, number in counts.items() if number}


def _is_encrypted(encrypted: Encrypted) -> sql.Composable:
    column = sql.Identifier(encrypted.column)
    if encrypted.flag is None:
        return sql.SQL("({0} <> '' AND {0} NOT LIKE '{{%')").format(column)
    return sql.SQL("({} AND {} <> '')").format(sql.Identifier(encrypted.flag), column)


def rewrite_of(table: PlannedTable, keys: Keys | None) -> Rewrite | None:
    """Return what becomes of a table's rows on the way; None: nothing."""
    if keys is None or not keys.translates or table.name not in ENCRYPTED:
        return None
    return lambda blocks: _rewritten(table, keys, blocks)


def _rewritten(table: PlannedTable, keys: Keys, blocks: Iterable[bytes]) -> Iterator[bytes]:
    for row in csv_rows.rows(blocks):
        _translated(table, keys, row)
        yield csv_rows.line(row)


def _translated(table: PlannedTable, keys: Keys, row: list[bytes]) -> int:
    """Translate the encrypted fields of a row where they stand, and return how many there were."""
    places = {column.name: place for place, column in enumerate(table.columns)}
    found = 0
    for encrypted in ENCRYPTED[table.name]:
        token = _token(encrypted, places, row)
        if token:
            row[places[encrypted.column]] = csv_rows.field_of(_translate(table, keys, token, places, row))
            found += 1
    return found


def _token(encrypted: Encrypted, places: Mapping[str, int], row: Sequence[bytes]) -> str | None:
    if encrypted.column not in places:
        return None
    text = csv_rows.value(row[places[encrypted.column]])
    if encrypted.flag is None:
        return None if text is None or text.startswith("{") else text
    return text if encrypted.flag in places and row[places[encrypted.flag]] == b"t" else None


def _translate(table: PlannedTable, keys: Keys, token: str, places: Mapping[str, int], row: Sequence[bytes]) -> str:
    translated = keys.translate(token)
    if translated is None:
        name = NAMED_BY[table.name]
        which = csv_rows.value(row[places[name]]) if name in places else "?"
        whose = "old Fernet key" if keys.translates else "target's Fernet key"
        raise FernetKeyError(
            f"The {whose} does not decrypt {table.name} {which!r}. If its value cannot be decrypted in the exported "
            "environment either, correct it there and export again; otherwise this is not the key."
        )
    return translated
