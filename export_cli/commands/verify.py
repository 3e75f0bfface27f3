"""`verify`: every object of an export against its summary, byte by byte."""

import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import ClientError
from export_contracts.exported_schema import ExportedSchema
from export_contracts.exported_table import ExportedTable
from export_contracts.layout import schema_key, table_key
from export_contracts.summary import Summary
from export_runtime.aws import error_code
from export_runtime.figures import counted, size

from export_cli.aws import call, missing
from export_cli.errors import BAD, OK, InvalidOptionError, LocalError
from export_cli.exports import LATEST, Export
from export_cli.files import PartialFile, partial_file
from export_cli.options import Session, with_session
from export_cli.screen import Bar, Screen
from export_cli.verification import SCHEMA, TableVerdict, verify_schema, verify_table

_ADVICE = "Make room there or name another folder, then verify again. What has its final name there is whole."


@click.command()
@click.argument("export", default=LATEST)
@click.option("--table", "-t", "tables", multiple=True, metavar="NAME", help="This table only. May be repeated.")
@click.option(
    "--download", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Keep what proves sound in this folder, with the summary.",
)  # fmt: skip
@with_session
def verify(session: Session, export: str, tables: tuple[str, ...], download: Path | None) -> int:
    """Read every object of an EXPORT and check it against the summary. Default: latest.

    Checked are size, SHA-256 (composite by part sizes), gzip, CSV, header and number of rows. Memory stays constant.
    """
    target = session.target()
    exports = session.exports(target)
    found = exports.find(export)
    summary = found.read()
    wanted = _wanted(summary.details, tables)
    if download:
        _make_folder(download)
    bucket, folder = target.where().bucket, found.key.rpartition("/")[0] + "/"
    verdicts = []
    with session.screen.progress("verifying", sum(entry.object_bytes for entry in wanted.values())) as bar:
        for name, entry in sorted(wanted.items()):
            expected = table_key(folder, found.export_id, name)
            verdicts.append(_verify(session, bucket, name, entry, expected, download, bar))
        if summary.schema and not tables:
            expected = schema_key(folder, found.export_id)
            verdicts.append(_verify(session, bucket, SCHEMA, summary.schema, expected, download, bar))
    if download:
        _keep_summary(session, target, found, download)
    return _conclude(session.screen, found, exports.scope(found), summary, verdicts, download)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidOptionError(f"--download {folder}: cannot write there: {error.strerror}.") from error
    except OSError as error:
        raise LocalError(f"--download {folder}: cannot write there: {error.strerror}. {_ADVICE}") from error


def _wanted(details: Mapping[str, ExportedTable], tables: tuple[str, ...]) -> dict[str, ExportedTable]:
    unknown = sorted(set(tables) - details.keys())
    if unknown:
        raise InvalidOptionError(f"This export has no table {', '.join(unknown)}. The command show lists its tables.")
    return {name: entry for name, entry in details.items() if not tables or name in tables}


def _verify(
    session: Session, bucket: str, name: str, entry: ExportedTable | ExportedSchema, key: str, download: Path | None,
    bar: Bar,
) -> TableVerdict:  # fmt: skip
    bar.describe(name)
    if entry.key != key:
        return _unread(name, key, f"the summary has the key {entry.key!r}, expected was {key}")
    with call(f"read s3://{bucket}/{key}"):
        try:
            body = session.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if missing(error):
                return _unread(name, key, "does not exist")
            if error_code(error) == "InvalidObjectState":
                return _unread(name, key, "is archived; restore it from Glacier first")
            raise
        with _kept(download, key) as file:
            if isinstance(entry, ExportedSchema):
                verdict = verify_schema(entry, body, file, bar.advance)
            else:
                verdict = verify_table(name, entry, body, file, bar.advance)
            if file and not verdict.problems:
                file.keep()
    return verdict


def _unread(name: str, key: str, problem: str) -> TableVerdict:
    return TableVerdict(name, key, 0, 0, (problem,))


def _kept(folder: Path | None, key: str) -> AbstractContextManager[PartialFile | None]:
    return partial_file(folder / key.rpartition("/")[2], _ADVICE) if folder else nullcontext()


def _keep_summary(session: Session, target: Any, export: Export, folder: Path) -> None:
    found = session.store(target).read(export.key)
    if found:
        with partial_file(folder / export.key.rpartition("/")[2], _ADVICE) as file:
            file.write(found.body)
            file.keep()


def _conclude(
    screen: Screen,
    export: Export,
    scope: str,
    summary: Summary,
    verdicts: list[TableVerdict],
    download: Path | None,
) -> int:
    bad = [verdict for verdict in verdicts if verdict.problems]
    sound = summary.complete and not bad
    if screen.as_json:
        where = str(download.resolve()) if download else None
        screen.document(_document(export, summary, verdicts, sound) | {"downloaded_to": where})
        return OK if sound else BAD
    rows = [["bad", verdict.table, problem] for verdict in bad for problem in verdict.problems]
    if rows:
        screen.table([" ", "table", "what is wrong"], rows)
        screen.blank()
    read = f"{counted(len(verdicts), 'object')}, {size(sum(verdict.object_bytes for verdict in verdicts))}"
    content = f"{counted(sum(verdict.rows for verdict in verdicts), 'row')} read"
    screen.line("ok" if not bad else "bad", f"export {export.export_id} ({scope}): {read}, {content};",
                "all as the summary says" if not bad else f"{len(bad)} not as the summary says")  # fmt: skip
    if download:
        kept = counted(len(verdicts) - len(bad), "file")
        screen.line(f"{kept} and the summary are in {download.resolve()}")
    if not summary.complete:
        screen.line("bad", f"the export itself is {summary.status}: tables are missing (see the command show)")
    return OK if sound else BAD


def _document(export: Export, summary: Summary, verdicts: list[TableVerdict], sound: bool) -> dict[str, Any]:
    return {
        "export_id": export.export_id,
        "status": summary.status,
        "sound": sound,
        "tables": {
            verdict.table: _found(verdict) | {"rows": verdict.rows} for verdict in verdicts if not _is_schema(verdict)
        },
        "schema": next((_found(verdict) for verdict in verdicts if _is_schema(verdict)), None),
    }


def _found(verdict: TableVerdict) -> dict[str, Any]:
    return {"key": verdict.key, "object_bytes": verdict.object_bytes, "problems": list(verdict.problems)}


def _is_schema(verdict: TableVerdict) -> bool:
    return verdict.key.endswith(".sql.gz")  # a table's ends in .csv.gz, whatever its name
