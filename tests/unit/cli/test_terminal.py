"""What people see, recorded in a pseudo-terminal: narrow, wide, piped, without colour, in an ASCII locale.

Each command runs in a child of its own whose terminal this is, so that it decides by itself about colour, width and
progress.
"""

import fcntl
import json
import os
import pty
import re
import shlex
import struct
import sys
import termios
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from export_contracts.findings import FailedGroup

from export_cli import __main__ as cli
from export_cli import following
from tests.unit.cli.conftest import STACK_PARAMETERS
from tests.unit.cli.environment import DAGS, Mwaa, Sns, make_network, set_lifecycle
from tests.unit.cli.made import BUCKET, Made
from tests.unit.cli.test_export import ARN, COMPLETE, StepFunctions

ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
WIDTHS = (60, 80, 120)
LONG = "a-much-longer-name-of-an-environment-than-most"
Seen = Callable[..., tuple[int, bytes]]
BUSY = {"status": "BUSY", "reason": "Another execution is exporting this environment.", "winner": ARN}
CAUSE = json.dumps({"errorMessage": "Export 20261211T143022Z is still INCOMPLETE", "stackTrace": ["a", "b"]})
COMMANDS = {
    "list": 2,  # of which of the two environments?
    "list --all": 1,
    "list --expiring -e prod": 0,
    "list -e prod": 0,
    "show -e prod": 0,
    "show newest -e prod": 0,
    "verify -e prod": 0,
    "verify newest -e prod": 1,
    "diff latest newest -e prod": 1,
    "cost -e prod": 0,
    "cost --all": 3,
    "doctor -e prod": 1,
    "doctor --all": 1,
    "export -e prod": 0,
    "export -e prod -x failing": 1,
    "export -e prod -x busy": 7,
    "export -e prod -d 0": 2,
    "redrive -e prod": 0,
    "keep latest -e prod": 3,  # moto gives no checksums of parts that are copied
    "release 20200101T000000Z -e prod": 4,
    "publish -e prod": 3,
    "repair -e prod": 70,  # the fake of CloudFormation has no change sets
    "list --profile nobody": 3,
    "show 20200101T000000Z -e prod": 4,
    "--version": 0,
    "query --list -e prod": 0,
    "query --tables -e prod": 0,
    "query --schema dag_run -e prod": 0,
    "query 'SELECT *, 1 AS a_second_one, state || state || state AS a_long_text FROM dag_run LIMIT 2' -e prod": 0,
    "query 'SELECT nothing FROM dag_run' -e prod": 2,
    "query slowest-tasks -e prod": 2,
    "query no-such-question -e prod": 2,
    "insights --to /dev/null -e prod": 4,
    "restore -e prod": 2,
    "restore --to postgresql://x@127.0.0.1:1/airflow --dry-run -e prod": 6,
    "restore --to postgresql://x@127.0.0.1:1/airflow --mode create -e prod": 6,
    "restore --to nowhere:80:80 -e prod": 6,
    "restore --to-environment prod -e prod": 4,
}


class Machine(StepFunctions):
    """Executions that end as their input says: `failing` and `busy` are tables to leave out."""

    def start_execution(self, **request: Any) -> dict[str, Any]:
        """Start one."""
        left_out = json.loads(request["input"]).get("exclude_tables", [])
        self.output = BUSY if "busy" in left_out else None if "failing" in left_out else COMPLETE
        self.status, self.error, self.cause = "SUCCEEDED" if self.output else "FAILED", "ExportIncompleteError", CAUSE
        return super().start_execution(**request)

    def describe_state_machine(self, **_: str) -> dict[str, Any]:
        """Describe the machine."""
        return {"status": "ACTIVE"}


@pytest.fixture
def seen(made: Made, fakes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Seen:
    """Give a function that runs a command in a terminal: its exit code, and everything that it wrote there."""
    monkeypatch.setattr(following, "POLL_SECONDS", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # of query
    fakes["cloudformation"].add(LONG, STACK_PARAMETERS | {"MwaaEnvironmentName": LONG}, made.outputs())
    fakes["mwaa"], fakes["sns"] = Mwaa(*make_network()), Sns()
    fakes["stepfunctions"] = Machine("FAILED", looks=0)
    made.s3.create_bucket(Bucket=DAGS, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    made.export(timedelta(hours=9))
    lost = FailedGroup("tasks", ("xcom",), {"xcom": "permission denied for table xcom"}, "1 of 9 tables", None)
    made.export(timedelta(hours=1), {"only": [["id"], ["1"]]}, status="INCOMPLETE", failed_groups=(lost,))
    set_lifecycle({"ID": "Exports", "Filter": {"Prefix": "exports/"}, "Expiration": {"Days": 365}})

    def running(command: str, width: int, encoding: str = "utf-8", **variables: str) -> tuple[int, bytes]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of fork, in a process with threads
            child, master = pty.fork()
        if child == 0:
            _be_the_command(command, width, encoding, variables)
        written = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the child has ended
                break
            if not piece:
                break
            written += piece
        os.close(master)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), written

    return running


def _be_the_command(command: str, width: int, encoding: str, variables: dict[str, str]) -> None:
    code = 99
    try:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
            os.environ.pop(name, None)
        os.environ |= {"TERM": "xterm-256color", **variables}
        sys.stdin = open(0, encoding=encoding)  # noqa: SIM115
        sys.stdout, sys.stderr = (open(number, "w", encoding=encoding) for number in (1, 2))  # noqa: PTH123, SIM115
        code = cli.main(shlex.split(command))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def lines_of(written: bytes) -> list[str]:
    """Return the lines that stay: without colours, without what a progress display has written over."""
    text = ANSI.sub(b"", written).decode()
    return [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]


@pytest.mark.parametrize("command", COMMANDS)
def test_in_a_terminal_of_any_width_nothing_that_matters_is_lost(seen: Seen, command: str) -> None:
    for width in WIDTHS:
        code, written = seen(command, width)
        text = "\n".join(lines_of(written))
        assert code == COMMANDS[command], text
        assert not re.search(r"Traceback|stackTrace|…|\.\.(?!\.)|\?\.|\^\^", text)
        assert re.findall(r"\b1 (?:table|row|object|file|export|group|day)s\b", text) == []
        # A word that is folded begins one line and goes on in the next.
        words = {word for word in re.split(r"[\s:;,.()]+", text) if word}
        assert (
            words & {"COMPL", "COMPLE", "COMPLET", "INCOMPL", "INCOMPLE", "INCOMPLET", "pas", "fai", "unknow"} == set()
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_a_list_keeps_id_age_and_verdict(seen: Seen, width: int) -> None:
    lines = lines_of(seen("list -e prod", width)[1])
    rows = [line for line in lines if re.match(r"\d{8}T\d{6}Z ", line)]
    assert [re.findall(r"(\d h) +(\w+)", row)[0] for row in rows] == [("1 h", "INCOMPLETE"), ("9 h", "COMPLETE")]
    assert all(len(row) <= width for row in rows)
    assert any(line.startswith("Too narrow for: ") for line in lines) is (width < 120)
    assert ("rows" in lines[0], "took" in lines[0]) == ((True, False) if width == 60 else (True, width == 120))


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_that_want_them(seen: Seen, variables: dict[str, str], coloured: bool) -> None:
    written = seen("list -e prod", 120, **variables)[1]
    assert (b"\x1b[32m" in written, b"\x1b[31m" in written) == (coloured, coloured)


@pytest.mark.parametrize("command", ["export -e prod -x failing", "doctor -e prod", "show newest -e prod"])
def test_in_an_ascii_locale_everything_is_ascii(seen: Seen, command: str) -> None:
    assert ANSI.sub(b"", seen(command, 80, encoding="ascii")[1]).isascii()


@pytest.mark.parametrize("command", ["list -e prod", "doctor -e prod", "show newest -e prod", "list --all"])
def test_piped_nothing_is_folded_left_out_or_coloured(
    seen: Seen, run: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("COLUMNS")
    result = run(*command.split())
    assert "\x1b" not in result.out + result.err
    assert "Too narrow" not in result.out
    narrow = [line for line in lines_of(seen(command, 60)[1]) if line.strip()]
    assert len([line for line in result.out.splitlines() if line.strip()]) <= len(narrow)


def test_shell_completion_is_there(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MWAA_METADATA_EXPORT_COMPLETE", "bash_source")
    script = run()
    assert (script.code, "complete -o nosort -F" in script.out) == (0, True)
    monkeypatch.setenv("_MWAA_METADATA_EXPORT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "mwaa-metadata-export re")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run().out.split() == ["plain,redrive", "plain,release", "plain,repair", "plain,restore"]


def test_the_bucket_of_these_exports_is_the_one_that_is_looked_at(seen: Seen) -> None:
    assert f"s3://{BUCKET}/" in "\n".join(lines_of(seen("show -e prod", 120)[1]))
