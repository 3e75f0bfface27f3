"""A set of dag runs, by their ids: what a statement asks of it, and how few bytes it takes."""

import base64
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from metadata_export.errors import ExportError

INTEGERS = ("smallint", "integer", "bigint")
LIST_BYTES = 8  # of an id in a list
BITMAP_RANGE = 2**31  # get_bit takes an integer before PostgreSQL 14


class DamagedRunSetError(ExportError):
    """What should be a packed set of runs is not one."""


@dataclass(frozen=True)
class RunSet:
    """Ids of dag runs, in order, each once.

    Args:
        ids: integers where `type` is one of INTEGERS, else the ids as text.
        type: of dag_run.id: PostgreSQL uses an index, or a hash, only for ids of the same type.
    """

    ids: "array[int] | Sequence[str]"
    type: str

    def condition(self, column: sql.Composable) -> sql.Composable:
        """Return whether a column holds one of the ids, in a text that stays small however many they are.

        A list takes some bytes for each id, a bitmap two bits for each id that there could be between first and last.
        PostgreSQL takes the bitmap's condition for one that nearly all runs meet, which is when it is used.
        """
        return self._bit_set(column) if self._is_dense else self.listed(column)

    def listed(self, column: sql.Composable) -> sql.Composable:
        """Return whether a column holds one of the ids, in a form that an index serves."""
        return sql.SQL("{} = ANY ({}::{}[])").format(column, self._list, sql.SQL(self.type))

    def batches(self, size: int) -> "list[RunSet]":
        """Cut the set into sets of at most so many ids."""
        return [RunSet(self.ids[start : start + size], self.type) for start in range(0, len(self.ids), size)]

    def without(self, ids: Iterable[object]) -> "RunSet":
        """Return the others."""
        left = set(ids)
        return RunSet(_sequence((each for each in self.ids if each not in left), self.type), self.type)

    @property
    def _span(self) -> int:
        return int(self.ids[-1]) - int(self.ids[0]) + 1

    @cached_property
    def _is_dense(self) -> bool:
        if self.type not in INTEGERS or not self.ids:
            return False
        return self._span < BITMAP_RANGE and self._span / 4 < LIST_BYTES * len(self.ids)

    @cached_property
    def _list(self) -> sql.Composable:
        texts = self.ids if self.type in INTEGERS else [_quoted(str(each)) for each in self.ids]
        return sql.Literal("{" + ",".join(map(str, texts)) + "}")

    @cached_property
    def _bitmap(self) -> sql.Composable:
        first = int(self.ids[0])
        bits = bytearray(-(-self._span // 8))
        for each in self.ids:
            place = int(each) - first
            bits[place >> 3] |= 1 << (place & 7)
        return sql.Literal("\\x" + bits.hex())

    def _bit_set(self, column: sql.Composable) -> sql.Composable:
        # PostgreSQL may look at the bit before it looks whether there is one for this id.
        return sql.SQL(
            "({0} BETWEEN {1} AND {2}"
            " AND pg_catalog.get_bit({3}::pg_catalog.bytea, (LEAST(GREATEST({0}, {1}), {2}) - {1})::integer) <> 0)"
        ).format(column, sql.Literal(int(self.ids[0])), sql.Literal(int(self.ids[-1])), self._bitmap)


def run_set(ids: Iterable[object], kind: str) -> RunSet:
    """Return the set of these ids, which may come in any order and several times."""
    unique = dict.fromkeys(sorted(ids))  # type: ignore[type-var]
    return RunSet(_sequence(unique, kind), kind)


def pack(ids: "array[int]") -> str:
    """Return integers in ascending order as text: the distance of each to the one before, compressed.

    A distance is a varint: seven bits a byte, the lowest first, the eighth set in all but the last. The first number is
    its distance to 0, zigzag coded since it may be negative. Then zlib, then base64.
    """
    packed, last = bytearray(), 0
    for position, each in enumerate(ids):
        rest = each - last if position else (each << 1 if each >= 0 else -(each << 1) - 1)
        last = each
        while rest > 127:
            packed.append(rest & 127 | 128)
            rest >>= 7
        packed.append(rest)
    return base64.b64encode(zlib.compress(packed, 6)).decode()


def unpack(text: str) -> "array[int]":
    """Return what `pack` has packed.

    Raises:
        DamagedRunSetError: the text is not what `pack` makes.
    """
    try:
        packed = zlib.decompress(base64.b64decode(text, validate=True))
    except (ValueError, zlib.error) as error:
        raise DamagedRunSetError(f"the packed dag runs are damaged: {error}") from error
    ids, number, shift, last = array("q"), 0, 0, 0
    try:
        for byte in packed:
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                last = last + number if ids else (number >> 1 if not number & 1 else -((number + 1) >> 1))
                ids.append(last)
                number = shift = 0
    except OverflowError as error:
        raise DamagedRunSetError(f"the packed dag runs are damaged: {error}") from error
    if shift or any(ids[place] >= ids[place + 1] for place in range(len(ids) - 1)):
        raise DamagedRunSetError("the packed dag runs are damaged: they do not ascend")
    return ids


def _sequence(ids: Iterable[object], kind: str) -> "array[int] | tuple[str, ...]":
    return array("q", ids) if kind in INTEGERS else tuple(map(str, ids))  # type: ignore[arg-type]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
