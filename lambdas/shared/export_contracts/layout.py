"""S3 layout of an export. Times are UTC; every key derives from the start of the execution.

The layout is described in docs/contracts/README.md; the Glue job derives the same table keys.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

EXPORT_ID_FORMAT = "%Y%m%dT%H%M%SZ"
SUMMARY_NAME = "export_summary_"  # then the time of day


@dataclass(frozen=True)
class Layout:
    """Keys of the exports of one MWAA environment."""

    bucket: str
    base_prefix: str
    environment: str

    @property
    def root(self) -> str:
        """Prefix of everything that belongs to this environment, without a slash at its end."""
        return f"{self.base_prefix}/{self.environment}-backups"

    @property
    def latest_key(self) -> str:
        """Pointer to the newest summary that is COMPLETE and full."""
        return f"{self.root}/latest.json"

    @property
    def lock_key(self) -> str:
        """Who is exporting."""
        return f"{self.root}/_runs/_current.json"

    def day_prefix(self, started: datetime) -> str:
        """Prefix of the tables and the summary of an export that started then, with a slash at its end."""
        return day_prefix(self.root, started)

    def summary_key(self, started: datetime) -> str:
        """Key of the summary of an export that started then."""
        return f"{summary_prefix(self.root, started)}{started:%H%M%S}.json.gz"

    def restore_key(self, identifier: str, document: str) -> str:
        """Key of a document (``plan``, ``report``) of a restore into this environment."""
        return f"{self.root}/_restores/{identifier}/{document}.json"

    def drill_key(self, identifier: str) -> str:
        """Key of the plan by which a drill restores the export with this id."""
        return f"{self.root}/_drills/{identifier}.json"

    def proof_key(self, identifier: str) -> str:
        """Key of the proof that the export with this id restores."""
        return f"{self.root}/_proofs/{identifier}.json"

    def schema_key(self, started: datetime) -> str:
        """Key of the schema of an export that started then."""
        return schema_key(self.day_prefix(started), export_id(started))

    def manifest_key(self, started: datetime, group: str) -> str:
        """Key of the manifest of one table group."""
        return f"{self.root}/_runs/{export_id(started)}/{group}.json"


def export_id(started: datetime) -> str:
    """Return the id of an export that started then."""
    return started.strftime(EXPORT_ID_FORMAT)


def started_at(identifier: str) -> datetime:
    """Return when the export with this id started."""
    return datetime.strptime(identifier, EXPORT_ID_FORMAT).replace(tzinfo=UTC)


def day_prefix(root: str, started: datetime) -> str:
    """Return the prefix of what was exported on that day, with a slash at its end.

    Args:
        root: prefix of the environment's exports, without a slash at its end.
        started: UTC.
    """
    return f"{root}/{started:%Y/%m/%d}/"


def summary_prefix(root: str, started: datetime) -> str:
    """Return what the keys of a day's summaries begin with; ``root`` and ``started`` as for ``day_prefix``."""
    return f"{day_prefix(root, started)}{SUMMARY_NAME}"


def report_key(summary_key: str) -> str:
    """Return the key of the report for people; it lies beside the summary."""
    folder, _, name = summary_key.rpartition("/")
    return f"{folder}/{name.replace(SUMMARY_NAME, 'export_report_').replace('.json.gz', '.html')}"


def schema_key(day_prefix: str, identifier: str) -> str:
    """Return the key of the object that holds the schema; ``day_prefix`` and ``identifier`` as for ``table_key``."""
    return f"{day_prefix}export_schema_{started_at(identifier):%H%M%S}.sql.gz"


def table_key(day_prefix: str, identifier: str, table: str) -> str:
    """Return the key of a table's object.

    Args:
        day_prefix: where the export's tables go, with a slash at its end.
        identifier: export id.
        table: any name that PostgreSQL allows; characters outside A-Za-z0-9_.- are percent-encoded.
    """
    return f"{day_prefix}{_encoded(table)}_{started_at(identifier):%H%M%S}.csv.gz"


def parquet_table_prefix(root: str, table: str) -> str:
    """Return the prefix of a table's Parquet files of all exports, with a slash at its end.

    Args:
        root: prefix of the environment's exports, without a slash at its end.
        table: as for ``table_key``.
    """
    return f"{root}/parquet/{_encoded(table)}/"


def parquet_prefix(root: str, table: str, identifier: str) -> str:
    """Return the prefix of a table's Parquet files of one export, with a slash at its end."""
    return f"{parquet_table_prefix(root, table)}export_id={identifier}/"


def parquet_columns_key(root: str) -> str:
    """Return the key of what is known of the columns in Parquet files; no table's folder has this name's end."""
    return f"{root}/parquet/_columns.json"


def _encoded(table: str) -> str:
    # quote() leaves the tilde alone (RFC 3986), the layout does not.
    return quote(table, safe="").replace("~", "%7E")
