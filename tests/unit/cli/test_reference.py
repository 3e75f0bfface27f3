"""docs/cli.md has every command, option and exit code, and names none that does not exist."""

import re
from pathlib import Path

import click
import pytest

from export_cli import errors
from export_cli.__main__ import cli

TEXT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^### `([a-z]+)`\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S))
COMMON = TEXT.partition("## Commands")[0]


def options(command: click.Command) -> set[str]:
    """Return the names of a command's options."""
    parameters = [each for each in command.params if isinstance(each, click.Option)]
    return {name for each in parameters for name in (*each.opts, *each.secondary_opts)}


def documented(text: str) -> set[str]:
    """Return the options that the first column of a table names."""
    return {name for cell in re.findall(r"^\| (`-.*?) \|", text, re.M) for name in re.findall(r"`(-[a-z-]+)`", cell)}


def test_given_the_reference_then_its_commands_are_those_that_exist():
    assert SECTIONS.keys() == cli.commands.keys()
    assert len(SECTIONS) == 16


@pytest.mark.parametrize("name", cli.commands)
def test_given_a_command_then_the_reference_has_its_options_and_no_other(name):
    assert options(cli.commands[name]) - documented(COMMON) == documented(SECTIONS[name])


def test_given_the_common_options_then_every_command_has_them():
    shared = set.intersection(*(options(command) for command in cli.commands.values()))
    assert shared == documented(COMMON) - {"-h", "--help", "--version"}


def test_given_the_exit_codes_then_the_reference_and_the_help_have_them(run):
    codes = {value for name, value in vars(errors).items() if name.isupper()}
    assert len(codes) == 11
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.M)} == codes
    shown = run("--help").out.partition("Exit codes:")[2]
    assert {int(code) for code in re.findall(r"^ +(\d+) ", shown, re.M)} == codes


@pytest.mark.parametrize("name", cli.commands)
def test_given_a_command_then_its_help_works_without_aws(run, name, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    result = run(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: mwaa-metadata-export {name}")


@pytest.mark.parametrize("arguments", [["nonsense"], ["show", "--nonsense"], ["list", "-n", "0"]], ids=str)
def test_given_wrong_usage_then_the_exit_code_is_two(run, arguments):
    assert run(*arguments).code == 2
