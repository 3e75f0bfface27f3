"""The plan document (docs/contracts/restore_plan.schema.json): what is restored, from which objects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from metadata_restore.errors import PlanError

FORMAT_VERSION = 1
T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """A column of a file, with its type as the exported database wrote it."""

    name: str
    type: str


@dataclass(frozen=True)
class PlannedTable:
    """A table and its object; sizes in bytes, ``columns`` in the order of the file.

    ``checksum_sha256`` is as S3 gives it: of the object, or composite with -N for N parts.
    """

    name: str
    key: str
    rows: int
    csv_bytes: int
    object_bytes: int
    checksum_sha256: str
    part_sizes: tuple[int, ...]
    columns: tuple[Column, ...]
    content_checksum: str | None = None
    """of the rows, as the export recorded it; None: it did not"""


@dataclass(frozen=True)
class PlannedSchema:
    """The object with the schema of the exported database; its checksum is plain.

    ``left_out``: what that database has and the object does not make (a view, a rule), for people.
    """

    key: str
    object_bytes: int
    checksum_sha256: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class RestorePlan:
    """What is restored.

    Args:
        export_id: of the export.
        bucket: where its objects are.
        airflow_version: that wrote the database, if it is known.
        alembic_heads: revisions of its schema, by version table.
        tables: in alphabetical order; in which order they are loaded, the target's own foreign keys say.
        whole: whether these are all tables of the export.
        sequences: the number that each sequence gives out next; None: the export did not record them.
        orphans: table -> rows that refer to a row which does not exist, as far as they were counted.
        masked_columns: table -> columns whose values were not exported.
        schema: of the exported database; None: the export has none.
    """

    export_id: str
    bucket: str
    airflow_version: str | None
    alembic_heads: Mapping[str, tuple[str, ...]]
    tables: tuple[PlannedTable, ...]
    whole: bool
    sequences: Mapping[str, int] | None
    orphans: Mapping[str, int]
    masked_columns: Mapping[str, tuple[str, ...]]
    schema: PlannedSchema | None = None
    fernet_key_version: str | None = None
    """of the secret with the exported environment's Fernet keys; None: its key was not kept"""

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def object_bytes(self) -> int:
        """Bytes of all objects."""
        return sum(table.object_bytes for table in self.tables)

    def table(self, name: str) -> PlannedTable | None:
        """Return a table by its name."""
        return next((table for table in self.tables if table.name == name), None)

    @classmethod
    def from_json(cls, content: object) -> "RestorePlan":
        """Return the plan that a document describes.

        Raises:
            PlanError: naming the field, its value and what is allowed.
        """
        document = _object(content, "the plan")
        _field(document, "", "format_version", _version)
        return cls(
            export_id=_field(document, "", "export_id", _text),
            bucket=_field(document, "", "bucket", _text),
            airflow_version=_field(document, "", "airflow_version", lambda v, at: None if v is None else _text(v, at)),
            alembic_heads=_field(document, "", "alembic_heads", _mapping(_list(_text))),
            tables=_field(document, "", "tables", _list(_table)),
            whole=_field(document, "", "whole", _truth),
            sequences=_field(document, "", "sequences", _optional(_mapping(_integer))),
            orphans=_field(document, "", "orphans", _mapping(_count)),
            masked_columns=_field(document, "", "masked_columns", _mapping(_list(_text))),
            schema=_optional(_schema)(document.get("schema"), "schema"),
            fernet_key_version=_optional(_text)(document.get("fernet_key_version"), "fernet_key_version"),
        )


def _table(content: object, where: str) -> PlannedTable:
    table = _object(content, where)
    return PlannedTable(
        name=_field(table, where, "name", _text),
        key=_field(table, where, "key", _text),
        rows=_field(table, where, "rows", _count),
        csv_bytes=_field(table, where, "csv_bytes", _count),
        object_bytes=_field(table, where, "object_bytes", _count),
        checksum_sha256=_field(table, where, "checksum_sha256", _text),
        part_sizes=_field(table, where, "part_sizes", _list(_count)),
        columns=_field(table, where, "columns", _list(_column)),
        content_checksum=_text(table["content_checksum"], f"{where}.content_checksum")
        if "content_checksum" in table
        else None,
    )


def _schema(content: object, where: str) -> PlannedSchema:
    schema = _object(content, where)
    return PlannedSchema(
        key=_field(schema, where, "key", _text),
        object_bytes=_field(schema, where, "object_bytes", _count),
        checksum_sha256=_field(schema, where, "checksum_sha256", _text),
        left_out=_list(_text)(schema.get("left_out", []), f"{where}.left_out"),
    )


def _column(content: object, where: str) -> Column:
    column = _object(content, where)
    return Column(_field(column, where, "name", _text), _field(column, where, "type", _text))


Reader = Callable[[object, str], T]


def _field(document: Mapping[str, Any], where: str, name: str, read: Reader[T]) -> T:
    at = f"{where}.{name}" if where else name
    if name not in document:
        raise PlanError(f"{at} is missing")
    return read(document[name], at)


def _refuse(value: object, where: str, allowed: str) -> NoReturn:
    raise PlanError(f"{where} is {str(value)[:80]!r}; allowed is {allowed}")


def _object(value: object, where: str) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _refuse(value, where, "a JSON object")


def _text(value: object, where: str) -> str:
    return value if isinstance(value, str) and value else _refuse(value, where, "a text that is not empty")


def _truth(value: object, where: str) -> bool:
    return value if isinstance(value, bool) else _refuse(value, where, "true or false")


def _integer(value: object, where: str) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else _refuse(value, where, "a whole number")


def _count(value: object, where: str) -> int:
    return number if (number := _integer(value, where)) >= 0 else _refuse(value, where, "a whole number of 0 or more")


def _version(value: object, where: str) -> int:
    return FORMAT_VERSION if _integer(value, where) == FORMAT_VERSION else _refuse(value, where, str(FORMAT_VERSION))


def _optional(read: Reader[T]) -> Reader[T | None]:
    return lambda value, where: None if value is None else read(value, where)


def _list(read: Reader[T]) -> Reader[tuple[T, ...]]:
    def every(value: object, where: str) -> tuple[T, ...]:
        items = value if isinstance(value, list) else _refuse(value, where, "a list")
        return tuple(read(item, f"{where}[{place}]") for place, item in enumerate(items))

    return every


def _mapping(read: Reader[T]) -> Reader[dict[str, T]]:
    return lambda value, where: {name: read(item, f"{where}.{name}") for name, item in _object(value, where).items()}
