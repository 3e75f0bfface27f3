"""How a command ends when something goes wrong: one line, and an exit code that is not that of a finding."""

import io
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import SSLError

from export_cli import __main__ as cli
from export_cli.exports import Exports
from tests.unit.cli.made import HOSTILE, TABLES

ROOT = Path(__file__).parents[3]
UNUSUAL = ("日本-ü", HOSTILE, "\N{PILE OF POO}", "naïve table")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let the system refuse every file of more bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("records", [2_000, 200_000], ids=["in the buffer", "in the middle"])
def test_given_a_full_disk_then_verify_says_so_and_leaves_no_part(made, run, tmp_path, records):
    table = [["id"], *([str(number * 7919 % 100_003)] for number in range(records))]
    made.export(tables={"a": [["id"]], "big": table})
    with full_disk(2_000):
        result = run("verify", "--download", str(tmp_path))
    assert result.code == 5
    assert result.err.count("\n") == 1
    assert "Could not write" in result.err
    assert "File too large. Make room there or name another folder" in result.err
    assert [file.name.split("_")[0] for file in tmp_path.iterdir()] == ["a"]


def test_given_a_full_disk_then_no_summary_is_left_that_is_not_whole(made, run, tmp_path):
    made.export(tables={"a": [["id"]]})
    with full_disk(100):
        assert run("verify", "--download", str(tmp_path)).code == 5
    assert [file.name.split("_")[0] for file in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("ending", ["", ".part"])
def test_given_a_folder_where_a_file_should_be_then_it_is_one_line(made, run, tmp_path, ending):
    stamp = made.export().export_id[9:15]
    folder = tmp_path / f"dag_{stamp}.csv.gz{ending}"
    folder.mkdir()
    result = run("verify", "--download", str(tmp_path))
    assert (result.code, result.err.count("\n")) == (5, 1)
    assert f"dag_{stamp}.csv.gz: Is a directory" in result.err
    assert list(tmp_path.iterdir()) == [folder]


def test_given_a_place_where_no_folder_can_be_made_then_it_is_one_line(made, run):
    made.export()
    result = run("verify", "--download", "/proc/nowhere")
    assert (result.code, result.err.count("\n")) == (5, 1)


def test_given_ctrl_c_in_the_middle_then_no_part_is_left(made, run, tmp_path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    made.export()
    monkeypatch.setattr("export_cli.commands.verify.verify_table", interrupt)
    result = run("verify", "--download", str(tmp_path))
    assert (result.code, list(tmp_path.iterdir())) == (130, [])


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyError("total_rows"), 70, "KeyError: 'total_rows'. This is a fault of the program"),
        (RecursionError("too\ndeep"), 70, "RecursionError: too deep. This"),
        (ConnectionResetError(104, "Connection reset by peer"), 3, "The connection broke"),
        (PermissionError(13, "Permission denied", "/x/report.html"), 5, "/x/report.html: Permission denied"),
        (OSError(28, "No space left on device"), 5, "the output: No space left on device"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_given_any_other_error_then_it_is_one_line_with_a_code_of_its_own(made, run, monkeypatch, raised, code, said):
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(Exports, "newest", fail)
    result = run("list")
    assert (result.code, result.err.count("\n")) == (code, 1)
    assert said in result.err


def test_given_a_fault_and_the_variable_then_the_traceback_is_shown(made, run, monkeypatch):
    monkeypatch.setattr(Exports, "newest", lambda *_: 1 / 0)
    monkeypatch.setenv("MWAA_EXPORT_TRACEBACK", "1")
    assert "Traceback" in run("list").err


def test_given_a_stream_that_breaks_then_aws_is_to_blame(made, run, monkeypatch):
    def break_off(*_: object) -> None:
        raise SSLError("bad record mac")

    made.export()
    monkeypatch.setattr("export_cli.commands.verify.verify_table", break_off)
    result = run("verify")
    assert (result.code, "bad record mac" in result.err) == (3, True)


def process(*arguments: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "export_cli", *arguments]
    return subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, check=False, timeout=120, **more)


def test_given_an_output_that_takes_nothing_more_then_it_is_one_line():
    with Path("/dev/full").open("w") as full:
        result = process("--help", stdout=full)
    assert (result.returncode, result.stderr.count(b"\n")) == (5, 1)
    assert b"Could not write the output: No space left on device" in result.stderr


def test_given_a_reader_that_has_gone_then_it_ends_in_silence():
    command = [sys.executable, "-m", "export_cli", "verify", "--help"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout
    running.stdout.close()
    _, errors = running.communicate(timeout=120)
    assert (running.returncode, errors) == (141, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_given_an_output_that_is_ascii_then_a_process_prints_help(encoding, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    result = process("--help", stdout=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"Usage: ")


@pytest.fixture(params=["ascii", "latin-1", "utf-8"])
def printed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Give a function that runs a command with an output of this encoding, strict as Python's own."""

    def running(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        out = io.TextIOWrapper(io.BytesIO(), encoding=request.param, errors="strict")
        monkeypatch.setattr(sys, "stdout", out)
        assert cli.main(arguments) in codes
        out.seek(0)
        return out.read()

    return running


@pytest.mark.parametrize("name", [*cli.cli.commands, ""])
def test_given_an_output_that_is_ascii_then_every_help_is_printed(name, printed):
    assert printed(*([name] if name else []), "--help").startswith("Usage: ")


def test_given_unusual_names_then_every_command_prints_them_in_any_encoding(made, fakes, printed):
    tables = TABLES | {name: [["id"], ["1"]] for name in UNUSUAL}
    made.export(timedelta(hours=9))
    summary = made.export(tables=tables, uncatalogued_tables=UNUSUAL, problems=UNUSUAL)
    assert json.loads(printed("show", "--json")) == summary.to_json()
    assert "COMPLETE" in printed("show")
    assert "COMPLETE" in printed("list")
    assert "as the summary says" in printed("verify")
    assert set(json.loads(printed("verify", "--json"))["tables"]) == set(tables)
    assert "new" in printed("diff", codes=(1,))
    assert set(json.loads(printed("diff", "--json", codes=(1,)))["tables"]) >= {"日本-ü"}
