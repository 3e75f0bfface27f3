"""Spark in local mode for a job's script: one master, no ports open to others, no web pages."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from local.aws.settings import Settings

# A run of seconds gains nothing from the optimising compiler: Spark starts in two thirds of the time without it.
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


def environment(settings: Settings, folder: Path, conf: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables of a script that may start Spark; empty without Java.

    Args:
        settings: the emulator's.
        folder: the run's own; Spark's scratch files go there.
        conf: more of Spark's configuration.
    """
    if settings.java_home is None:
        return {}
    scratch = folder / "spark-local"
    scratch.mkdir()
    own = {"spark.sql.warehouse.dir": str(folder / "warehouse")}
    return {
        "JAVA_HOME": str(settings.java_home),
        "JDK_JAVA_OPTIONS": QUICK_START,
        "PYSPARK_PYTHON": str(settings.glue_python or sys.executable),
        "PYSPARK_SUBMIT_ARGS": submit_arguments(settings.spark_master, own | dict(conf or {})),
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_SUBMIT_OPTS": java_options(folder, settings.spark_classes),
    }


def submit_arguments(master: str, conf: Mapping[str, str] | None = None) -> str:
    """PYSPARK_SUBMIT_ARGS: what a script's SparkContext finds configured, as it finds Glue's configuration on Glue.

    Not a file below SPARK_CONF_DIR: that folder would be on the class path, where no class archive may have one.
    """
    options = [f"--conf {shlex.quote(f'{name}={value}')}" for name, value in (QUIET | dict(conf or {})).items()]
    return " ".join([f"--master {master}", *options, "pyspark-shell"])


def java_options(folder: Path, classes: Path | None = None) -> str:
    """SPARK_SUBMIT_OPTS: what Java takes from its command line only.

    Args:
        folder: for the files that Java and its libraries unpack; they leave some of them behind.
        classes: archive of the classes that Spark's start loads. One that does not fit is passed over, silently.
    """
    archive = [f"-XX:SharedArchiveFile={classes}", "-Xlog:disable"] if classes else []
    return shlex.join([f"-Djava.io.tmpdir={folder}", *archive])
