"""The zips of wheels that `sam build` made, installed as Glue installs them, and the job started from the installation.

The whole job runs from the zip in the end-to-end tests: the emulated Glue gives its process nothing else.

AWS documented: Glue 5.1 and 6.0 are Amazon Linux 2023 on x86_64: glibc 2.34, Python 3.11 and 3.13, with boto3 and
pyspark. https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
"""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.tags import Tag, cpython_tags
from packaging.utils import parse_wheel_filename
from publish_assets.properties import PYTHON_VERSIONS
from publish_assets.wheels import joined

from local import deployment, paths
from local.aws import runtimes

GLIBC = (2, 34)
PLATFORMS = [*(f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC[1], 16, -1)), "manylinux2014_x86_64"]
IMPORTS = "import isal, metadata_export.job as job, psycopg, psycopg_binary as b; "
IMPORTS += "print(*(module.__file__ for module in (isal, job, psycopg, b)), sep='\\n')"
FERNET = "from metadata_restore.keys import make_keys; from cryptography.fernet import Fernet; key = 'A' * 43 + '='; "
FERNET += "print(make_keys(key, key).translate(Fernet(key).encrypt(b'x').decode()))"
NO_CHECKOUT = ("-I", "-S")  # neither the environment's packages, nor PYTHONPATH, nor the working directory


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what `sam build` made."""
    return deployment.build(log=tmp_path_factory.mktemp("build") / "sam-build.log").parent


@pytest.fixture(scope="session", params=PYTHON_VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """A Python of Glue."""
    return str(request.param)


@pytest.fixture(scope="session")
def wheels(built: Path, version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked folder `wheels` of the zip for this Python."""
    [archive] = (built / f"GluePython{version.replace('.', '')}Layer").rglob("*.gluewheels.zip")
    folder = tmp_path_factory.mktemp(f"wheels-{version}")
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder)
    return folder / "wheels"


@pytest.fixture(scope="session")
def installed(wheels: Path, version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels installed for Glue's Python and platform, from nothing but themselves."""
    return install(wheels, version, tmp_path_factory.mktemp(f"installed-{version}"))


def install(wheels: Path, version: str, target: Path) -> Path:
    """Install wheels as Glue does, and return where."""
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-index", "--find-links", str(wheels), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", version, *platforms, "--target", str(target)]
    subprocess.run([*command, "--requirement", str(wheels / "requirements.txt")], check=True, cwd=target)
    return target


@pytest.fixture(scope="session")
def for_restores(built: Path, version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the job that restores, put together as Publish Assets does and installed."""
    digits = version.replace(".", "")
    archives = [next((built / f"{name}Python{digits}Layer").rglob("*.zip")) for name in ("Glue", "Fernet")]
    folder = tmp_path_factory.mktemp(f"restores-{version}")
    (folder / "both.zip").write_bytes(joined(*(archive.read_bytes() for archive in archives)))
    with zipfile.ZipFile(folder / "both.zip") as zipped:
        zipped.extractall(folder)
    return install(folder / "wheels", version, tmp_path_factory.mktemp(f"restores-installed-{version}"))


def tags(version: str) -> set[Tag]:
    """What Glue's interpreter accepts."""
    major, minor = version.split(".")
    pure = {Tag(python, "none", "any") for python in (f"py{major}", f"py{major}{minor}")}
    return {*cpython_tags((int(major), int(minor)), platforms=PLATFORMS), *pure}


def test_given_a_zip_then_it_holds_wheels_that_glue_accepts_and_nothing_else(wheels: Path, version: str) -> None:
    files = sorted(file.name for file in wheels.iterdir() if file.name != "requirements.txt")

    assert len(files) >= 4
    assert [name for name in files if not name.endswith(".whl")] == []
    assert [name for name in files if not parse_wheel_filename(name)[3] & tags(version)] == []


def test_given_a_zip_then_its_requirements_are_pinned_and_each_is_in_it(wheels: Path) -> None:
    pinned = set((wheels / "requirements.txt").read_text().split())

    assert pinned == {"{}=={}".format(*parse_wheel_filename(file.name)[:2]) for file in wheels.glob("*.whl")}


def test_given_the_installation_then_no_library_needs_a_newer_glibc(installed: Path) -> None:
    libraries = [file for file in installed.rglob("*.so*") if file.is_file()]
    needed = {(2, int(minor)) for file in libraries for minor in re.findall(rb"GLIBC_2\.(\d+)", file.read_bytes())}

    assert len(libraries) > 5
    assert max(needed) <= GLIBC


def run(installed: Path, version: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code with the installation and what Glue has; with nothing of this checkout or environment."""
    runtime = runtimes.ensure_glue_runtime(paths.GLUE_RUNTIME)  # boto3 and pyspark alone, pure Python
    [packages] = runtime.parents[1].glob("lib/python*/site-packages")
    setup = f"import sys; sys.path[:0] = [{str(installed)!r}, {str(packages)!r}]; "
    command = [interpreter(version), *NO_CHECKOUT, "-c", setup + code]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


def test_given_the_installation_then_the_job_is_imported_from_it_alone(installed: Path, version: str) -> None:
    found = run(installed, version, IMPORTS)

    assert found.returncode == 0, found.stderr
    files = found.stdout.split()
    assert len(files) == 4
    assert [file for file in files if not Path(file).is_relative_to(installed)] == []


def test_given_the_wheels_of_restores_then_the_keys_of_fernet_work_and_no_library_needs_a_newer_glibc(
    for_restores: Path, version: str
) -> None:
    libraries = [file for file in for_restores.rglob("*.so*") if file.is_file()]
    needed = {(2, int(minor)) for file in libraries for minor in re.findall(rb"GLIBC_2\.(\d+)", file.read_bytes())}
    assert max(needed) <= GLIBC

    found = run(for_restores, version, FERNET)

    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("gAAAA")


def test_given_the_installation_when_the_script_starts_without_arguments_then_the_job_says_what_is_missing(
    installed: Path, version: str
) -> None:
    script = paths.ROOT / "glue" / "mwaa_metadb_export.py"
    found = run(installed, version, f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")

    assert found.returncode != 0
    assert "--S3_OUTPUT_PATH" in found.stderr + found.stdout


def interpreter(version: str) -> str:
    """A Python of this version; a machine need not have each."""
    installed = (Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}")
    for candidate in (sys.executable, shutil.which(f"python{version}"), *map(str, installed)):
        command = [candidate or "", *NO_CHECKOUT, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if candidate and subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == version:
            return candidate
    pytest.skip(f"there is no python{version} here; its wheels were installed and looked at all the same")
