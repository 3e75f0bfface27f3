"""`make mutants`: make one mistake after the other in a module, and see that its tests notice each.

cosmic-ray's operators make the mistakes, in a copy of the project below .local. `tests/mutants.toml` names the modules,
the tests that must notice, and what survives for a reason.
"""

import argparse
import difflib
import gc
import io
import itertools
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg  # noqa: F401 - imported once, not once for every mutant
import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from moto import mock_aws

from local.paths import LOCAL, ROOT

EXPECTATIONS = ROOT / "tests" / "mutants.toml"
# Each comparison is negated and moved by one, each arithmetic operator becomes one other: what all the others would
# tell costs four times as much time.
BINARY = "Add_Sub|Sub_Add|Mul_FloorDiv|FloorDiv_Mul|Div_Mul|Mod_FloorDiv|BitAnd_BitOr|BitOr_BitAnd"
COMPARISON = "Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt"
OPERATORS = re.compile(
    rf"core/(?!Variable|ReplaceBinary|ReplaceComparison)|.*BinaryOperator_({BINARY})$|.*ComparisonOperator_({COMPARISON})$"
)
# Tests that loop for ever, or wait, have noticed; processor time is the same on a busy machine.
LEAST_CPU_SECONDS = 15
WAITING_SECONDS = 300.0


class MutantsError(Exception):
    """The mistakes cannot be made."""


@dataclass(frozen=True, order=True)
class Mutant:
    """A mistake: a line of a module, and what it becomes. Mutants that look the same are one."""

    module: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.module}\n  was     {self.was}\n  becomes {self.becomes}"


def main(argv: Sequence[str]) -> int:
    """Test the modules; return how many mutants are not as tests/mutants.toml says.

    Raises:
        MutantsError: no module is called so, or its tests fail without a mistake.
    """
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the modules' paths; all modules unless given")
    names = parser.parse_args(argv).names
    expected = tomllib.loads(EXPECTATIONS.read_text())
    modules = {path: tests for path, tests in expected["tests"].items() if not names or any(n in path for n in names)}
    if not modules:
        raise MutantsError(f"tests/mutants.toml names no module with {' or '.join(names)} in its path")
    _import_what_tests_need()
    return sum(_judge(module, tests, _explained(expected, module)) for module, tests in modules.items())


def _import_what_tests_need() -> None:
    """Let the processes of the mutants inherit what takes seconds to import; nothing of the product is among it."""
    with mock_aws():
        for service in ("s3", "glue"):
            boto3.client(service, "eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    gc.freeze()  # pytest collects garbage, and would look through all of it each time


def _explained(expected: Mapping[str, list[dict[str, str]]], module: str) -> frozenset[Mutant]:
    entries = [entry for entry in expected.get("survivor", []) if entry["module"] == module]
    if not all(entry["reason"].strip() for entry in entries):
        raise MutantsError(f"tests/mutants.toml: a survivor of {module} has no reason")
    return frozenset(Mutant(entry["module"], entry["was"], entry["becomes"]) for entry in entries)


def _judge(module: str, tests: Sequence[str], explained: frozenset[Mutant]) -> int:
    started = time.monotonic()
    killed, survived = Counter[Mutant](), Counter[Mutant]()
    for mutant, noticed in _try_all(module, tests):
        (killed if noticed else survived)[mutant] += 1
        if not noticed and mutant not in explained:
            print(f"survives: {mutant}", flush=True)
    stale = sorted(explained - survived.keys())
    for mutant in stale:
        why = "is killed now" if mutant in killed else "is not made any more"
        print(f"{why}, take it out of tests/mutants.toml: {mutant}")
    unexplained = sum(number for mutant, number in survived.items() if mutant not in explained)
    print(
        f"{module}: {killed.total() + survived.total()} mutants, {killed.total()} killed, {survived.total()} survive, "
        f"{unexplained} of them without a reason ({time.monotonic() - started:.0f} s)",
        flush=True,
    )
    return unexplained + len(stale)


def _try_all(module: str, tests: Sequence[str]) -> Iterator[tuple[Mutant, bool]]:
    """Make the mistakes; yield each, and whether the tests have noticed it."""
    copy = LOCAL / "mutants" / "project"
    _copy_project(copy)
    before = os.times().children_user
    if _fail(tests, copy, cpu_seconds=600, compile_files=True):
        raise MutantsError(f"the tests of {module} fail without any mistake: {' '.join(tests)}")
    cpu_seconds = max(LEAST_CPU_SECONDS, round(4 * (os.times().children_user - before)))
    path = copy / module
    # It would be taken for that of a mistake which comes within a second and leaves the module as long as it was.
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()
    source = path.read_text()
    for mutated in _mutated(source):
        path.write_text(mutated)
        yield _mutant(module, source, mutated), _fail(tests, copy, cpu_seconds)
    path.write_text(source)


def _copy_project(copy: Path) -> None:
    """Copy what git has or would have: a mistake must not come into the files that somebody works on."""
    shutil.rmtree(copy, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)


def _mutated(source: str) -> Iterator[str]:
    for name in filter(OPERATORS.match, operator_names()):
        operator = get_operator(name)()
        for occurrence in itertools.count():
            mutated = mutate_code(source, operator, occurrence)
            if mutated is None:
                break
            yield mutated


def _mutant(module: str, source: str, mutated: str) -> Mutant:
    changes = [line for line in difflib.ndiff(source.splitlines(), mutated.splitlines()) if line[:1] in "+-"]
    was, becomes = (" ".join(line[2:].strip() for line in changes if line[0] == sign) for sign in "-+")
    return Mutant(module, was, becomes)


def _fail(tests: Sequence[str], copy: Path, cpu_seconds: int, *, compile_files: bool = False) -> bool:
    """Return whether the tests fail, or take longer than that, in a process that has imported nothing of the copy."""
    process = multiprocessing.get_context("fork").Process(target=_test, args=(tests, copy, cpu_seconds, compile_files))
    process.start()
    process.join(WAITING_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode != 0


def _test(tests: Sequence[str], copy: Path, cpu_seconds: int, compile_files: bool) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    os.chdir(copy)
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
    sys.dont_write_bytecode = not compile_files
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
    os._exit(int(code))  # whatever threads a mistake has left behind


if __name__ == "__main__":
    try:
        sys.exit(1 if main(sys.argv[1:]) else 0)
    except MutantsError as error:
        sys.exit(str(error))
