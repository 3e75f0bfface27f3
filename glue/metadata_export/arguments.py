"""The job's arguments (docs/contracts/job_arguments.schema.json). The defaults are in flow and template."""

import argparse
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import quote

from metadata_export.errors import ArgumentError
from metadata_export.request import GroupRun, TableRequest

FORMATS = (("csv",), ("csv", "parquet"))
WINDOWS = ("full", "run", "follow", "date", "event")
REQUIRED = (
    "AWS_REGION",
    "S3_OUTPUT_PATH",
    "DATABASE_NAME",
    "EXPORT_TABLES",
    "GLUE_CONNECTION_NAME",
    "MAX_AGE_IN_DAYS",
    "CUTOFF",
    "EXPORT_ID",
    "EXPORT_GROUP",
    "EXPORT_GROUPS",
    "MANIFEST_KEY",
    "CATALOGUED_TABLES",
    "INCLUDE_TABLES",
    "EXCLUDE_TABLES",
    "WINDOWS",
    "MASK_COLUMNS",
    "FORMATS",
    "SNAPSHOT_HOLD_SECONDS",
    "MAX_CONNECTIONS",
    "STATEMENT_TIMEOUT_SECONDS",
    "EXECUTION_ARN",
)
ADDED_BY_GLUE = ("JOB_NAME", "JOB_RUN_ID")  # so there are none outside it


@dataclass(frozen=True)
class Arguments:
    """What one run exports, and where to."""

    region: str
    """of every AWS service that the run calls"""
    bucket: str
    prefix: str
    database_name: str
    tables: dict[str, str]
    """table -> window rule"""
    connection_name: str
    max_age_in_days: int | None
    cutoff: datetime | None
    export_id: str
    group: str
    groups: tuple[str, ...]
    root: str
    """prefix of all exports of the environment, without a slash at its end"""
    manifest_key: str
    any_schema: frozenset[str]
    """those of `tables` that are exported from whatever schema they are in"""
    catalogued_tables: frozenset[str]
    include_tables: frozenset[str]
    exclude_tables: frozenset[str]
    windows: dict[str, str]
    """table -> window rule, for the tables of all groups that are not exported whole"""
    snapshot_hold_seconds: int
    max_connections: int
    statement_timeout_seconds: int
    job_run_id: str
    job_name: str
    """as Glue passes it; empty outside Glue"""
    mask_columns: Mapping[str, tuple[str, ...]]
    """table -> columns whose values are not exported"""
    formats: tuple[str, ...]
    execution_arn: str
    """of the state machine's execution; empty outside it"""

    @property
    def group_run(self) -> GroupRun:
        """Which run this is."""
        return GroupRun(
            export_id=self.export_id,
            group=self.group,
            job_run_id=self.job_run_id,
            database_name=self.database_name,
            max_age_in_days=self.max_age_in_days,
            cutoff=self.cutoff,
        )

    @property
    def table_request(self) -> TableRequest:
        """The tables that the run has been asked for."""
        return TableRequest(
            database_name=self.database_name,
            group=self.group,
            tables=self.tables,
            any_schema=self.any_schema,
            catalogued_tables=self.catalogued_tables,
            include_tables=self.include_tables,
            exclude_tables=self.exclude_tables,
            windows=self.windows,
            mask_columns=self.mask_columns,
        )

    def table_key(self, table: str) -> str:
        """Return the object key of a table; what S3 clients trip over in its name is percent-encoded."""
        return f"{self.prefix}{_encoded(table)}_{self.export_id[9:15]}.csv.gz"

    @property
    def writes_parquet(self) -> bool:
        """Whether the rows are written as Parquet too."""
        return "parquet" in self.formats

    def parquet_folder(self, table: str) -> str:
        """Return where a table's Parquet files go, with a slash at its end."""
        return f"{self.root}/parquet/{_encoded(table)}/export_id={self.export_id}/"

    @property
    def parquet_columns_key(self) -> str:
        """What is known of the columns that Parquet files of earlier exports have."""
        return f"{self.root}/parquet/_columns.json"

    @property
    def schema_key(self) -> str | None:
        """Return the key of the schema's object; None: another group exports it."""
        return f"{self.prefix}export_schema_{self.export_id[9:15]}.sql.gz" if self.group == self.groups[0] else None

    @property
    def parallelism(self) -> int:
        """How many tasks run at a time, each on its connection: one more holds the snapshot."""
        return self.max_connections - 1

    @property
    def runs_prefix(self) -> str:
        """The folder of the manifest, where the snapshot claim lies too; ends in a slash."""
        return f"{self.root}/_runs/{self.export_id}/"

    @property
    def lock_key(self) -> str:
        """Who is exporting this environment; beside the folders of all exports' manifests."""
        return f"{self.root}/_runs/_current.json"


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Read the job's arguments; those that Glue adds for itself are ignored.

    Args:
        argv: without the program's name.

    Raises:
        ArgumentError: naming the argument, its value and what is allowed.
    """
    parser = _Parser(allow_abbrev=False, add_help=False)
    for name in REQUIRED:
        parser.add_argument(f"--{name}", required=True)
    for name in ADDED_BY_GLUE:
        parser.add_argument(f"--{name}", default="")
    values: dict[str, str] = vars(parser.parse_known_args(list(argv))[0])
    bucket, prefix = _output_path(values["S3_OUTPUT_PATH"])
    tables = _tables(values["EXPORT_TABLES"])
    return _in_agreement(
        Arguments(
            region=_matching("AWS_REGION", values, r"[a-z]+(-[a-z]+)+-[0-9]+"),
            bucket=bucket,
            prefix=prefix,
            database_name=_given("DATABASE_NAME", values),
            tables={entry["table"]: entry["window"] for entry in tables},
            connection_name=_given("GLUE_CONNECTION_NAME", values),
            max_age_in_days=_number("MAX_AGE_IN_DAYS", values, minimum=1)
            if values["MAX_AGE_IN_DAYS"] != "null"
            else None,
            cutoff=_cutoff(values["CUTOFF"]),
            export_id=_matching("EXPORT_ID", values, r"[0-9]{8}T[0-9]{6}Z"),
            group=values["EXPORT_GROUP"],
            groups=_names("EXPORT_GROUPS", values),
            root=_root(values),
            manifest_key=values["MANIFEST_KEY"],
            any_schema=frozenset(entry["table"] for entry in tables if entry.get("any_schema")),
            catalogued_tables=frozenset(_names("CATALOGUED_TABLES", values)),
            include_tables=frozenset(_names("INCLUDE_TABLES", values)),
            exclude_tables=frozenset(_names("EXCLUDE_TABLES", values)),
            windows=_windows(values["WINDOWS"]),
            snapshot_hold_seconds=_number("SNAPSHOT_HOLD_SECONDS", values, minimum=0),
            max_connections=_number("MAX_CONNECTIONS", values, minimum=2),  # one holds the snapshot, one reads
            statement_timeout_seconds=_number("STATEMENT_TIMEOUT_SECONDS", values, minimum=1),
            job_run_id=values["JOB_RUN_ID"] or f"local_{uuid.uuid4().hex}",
            job_name=values["JOB_NAME"],
            mask_columns=_columns("MASK_COLUMNS", values),
            formats=_formats(values),
            execution_arn=values["EXECUTION_ARN"],
        )
    )


def _encoded(table: str) -> str:
    return quote(table, safe="").replace("~", "%7E")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"job arguments: {message}")


def _in_agreement(arguments: Arguments) -> Arguments:
    if arguments.group not in arguments.groups:
        raise ArgumentError(
            f"--EXPORT_GROUP {arguments.group!r} is not one of --EXPORT_GROUPS {list(arguments.groups)}"
        )
    return arguments


def _output_path(value: str) -> tuple[str, str]:
    match = re.fullmatch(r"s3://([^/]+)/(.+/)", value)
    if match is None:
        raise ArgumentError(f"--S3_OUTPUT_PATH {value!r}: expected s3://bucket/prefix/ with the slash at the end")
    return match[1], match[2]


def _root(values: dict[str, str]) -> str:
    """Return what the S3 layout has before the key of this export's and this group's manifest."""
    manifest = f"/_runs/{values['EXPORT_ID']}/{values['EXPORT_GROUP']}.json"
    root = values["MANIFEST_KEY"].removesuffix(manifest)
    if root in ("", values["MANIFEST_KEY"]) or root.startswith("/"):
        raise ArgumentError(f"--MANIFEST_KEY {values['MANIFEST_KEY']!r}: expected <prefix>{manifest}")
    return root


def _tables(value: str) -> list[dict[str, Any]]:
    windows = ", ".join(WINDOWS)
    expected = f'expected a list of {{"table": name, "window": one of {windows}, "any_schema": true}}, each table once'
    entries = _parsed("EXPORT_TABLES", value, list, expected)
    names = set()
    for entry in entries:
        well_formed = (
            isinstance(entry, dict)
            and {"table", "window"} <= entry.keys() <= {"table", "window", "any_schema"}
            and isinstance(entry["table"], str)
            and isinstance(entry.get("any_schema", False), bool)
        )
        if not well_formed or entry["window"] not in WINDOWS or entry["table"] in names:
            raise ArgumentError(f"--EXPORT_TABLES has {json.dumps(entry)}: {expected}")
        names.add(entry["table"])
    return list(entries)


def _windows(value: str) -> dict[str, str]:
    expected = "expected an object of table names, each with one of " + ", ".join(WINDOWS)
    windows = _parsed("WINDOWS", value, dict, expected)
    for name, rule in windows.items():
        if rule not in WINDOWS:
            raise ArgumentError(f"--WINDOWS has {json.dumps({name: rule})}: {expected}")
    return dict(windows)


def _names(name: str, values: dict[str, str]) -> tuple[str, ...]:
    expected = "expected a list of names, each once"
    entries = _parsed(name, values[name], list, expected)
    if not all(isinstance(entry, str) for entry in entries) or len(set(entries)) != len(entries):
        raise ArgumentError(f"--{name} {values[name]!r}: {expected}")
    return tuple(entries)


def _formats(values: dict[str, str]) -> tuple[str, ...]:
    formats = _names("FORMATS", values)
    if formats not in FORMATS:
        raise ArgumentError(f'--FORMATS {values["FORMATS"]!r}: expected ["csv"] or ["csv","parquet"]')
    return formats


def _columns(name: str, values: dict[str, str]) -> dict[str, tuple[str, ...]]:
    columns: dict[str, tuple[str, ...]] = {}
    for entry in _names(name, values):
        table, dot, column = entry.rpartition(".")
        if not (table and dot and column):
            raise ArgumentError(f"--{name} has {entry!r}: expected <table>.<column>")
        columns[table] = (*columns.get(table, ()), column)
    return columns


def _parsed(name: str, value: str, kind: type[list[Any]] | type[dict[str, Any]], expected: str) -> Any:
    try:
        entries = json.loads(value)
    except json.JSONDecodeError as error:
        raise ArgumentError(f"--{name} {value!r} is not JSON ({error}): {expected}") from error
    if not isinstance(entries, kind):
        raise ArgumentError(f"--{name} {value!r}: {expected}")
    return entries


def _cutoff(value: str) -> datetime | None:
    if value == "null":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ArgumentError(f"--CUTOFF {value!r}: expected an ISO 8601 time with its zone, or null") from error
    if moment.tzinfo is None:
        raise ArgumentError(f"--CUTOFF {value!r} has no time zone: write 2026-11-11T14:30:22Z, or null")
    return moment


def _number(name: str, values: dict[str, str], *, minimum: int) -> int:
    value = values[name]
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", value) or int(value) < minimum:
        raise ArgumentError(f"--{name} {value!r}: expected a whole number of {minimum} or more")
    return int(value)


def _given(name: str, values: dict[str, str]) -> str:
    if not values[name]:
        raise ArgumentError(f"--{name} is empty")
    return values[name]


def _matching(name: str, values: dict[str, str], pattern: str) -> str:
    if not re.fullmatch(pattern, values[name]):
        raise ArgumentError(f"--{name} {values[name]!r}: expected {pattern}")
    return values[name]
