"""The modules of a Glue job are installed once, whoever asks for them at the same time."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.aws.glue import modules
from tests.integration.aws.wheels import wheel_archive

RUNS = 5
MODULES = {f"module_{number}": f"NUMBER = {number}" for number in range(1000)}  # enough for runs to meet
ARCHIVE = wheel_archive(MODULES)


def test_given_runs_that_start_at_once_when_installed_then_each_has_them_whole(tmp_path: Path) -> None:
    archives = [_archive_of_run(tmp_path / f"run-{number}" / "modules") for number in range(RUNS)]

    with ThreadPoolExecutor(RUNS) as threads:
        installed = list(threads.map(lambda archive: _install(archive, tmp_path / "cache"), archives))

    assert len(set(installed)) == 1
    assert {file.stem: file.read_text() for file in installed[0].glob("*.py")} == MODULES


def test_given_half_of_an_installation_of_a_killed_run_when_installed_then_it_is_made_anew(tmp_path: Path) -> None:
    archive, cache = _archive_of_run(tmp_path / "modules"), tmp_path / "cache"
    target = _install(archive, cache)
    half = target.rename(target.with_name(f".{target.name}"))
    (half / "module_0.py").unlink()
    (half / "left_over.py").touch()

    assert _install(archive, cache) == target
    assert (target / "module_0.py").exists()
    assert not (target / "left_over.py").exists()


def _archive_of_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    archive = folder / "own.gluewheels.zip"
    archive.write_bytes(ARCHIVE)
    return archive


def _install(archive: Path, cache: Path) -> Path:
    return modules.install(archive, "--no-index", Path(sys.executable), cache)
