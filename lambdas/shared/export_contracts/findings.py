"""What a summary tells besides its tables: groups that failed, and tables that lost rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from export_contracts.fields import Fields, Reader, names, number, or_null, text, texts_by_name, whole


@dataclass(frozen=True)
class FailedGroup:
    """A group whose newest run failed: the tables that are missing, as far as it is known, and the errors of some."""

    group: str
    tables: tuple[str, ...]
    failed_tables: Mapping[str, str]
    error: str
    log_url: str | None


@dataclass(frozen=True)
class RowFall:
    """A table that has fewer rows than in the previous export; ``percent`` of them are gone."""

    table: str
    previous_rows: int
    rows: int
    percent: float


def failed_group_of(version: int) -> Reader[FailedGroup]:
    """Return a reader for a format; in format 1 a group does not tell which of its tables failed, and none is known."""

    def read(content: object, where: str) -> FailedGroup:
        fields = Fields(content, where)
        if version == 1:
            fields = fields.or_else(failed_tables={})
        return FailedGroup(
            group=fields.required("group", text),
            tables=fields.required("tables", names),
            failed_tables=fields.required("failed_tables", texts_by_name),
            error=fields.required("error", text),
            log_url=fields.required("log_url", or_null(text)),
        )

    return read


def row_fall(content: object, where: str) -> RowFall:
    """Read a fall."""
    fields = Fields(content, where)
    return RowFall(
        table=fields.required("table", text),
        previous_rows=fields.required("previous_rows", whole),
        rows=fields.required("rows", whole),
        percent=fields.required("percent", number),
    )
