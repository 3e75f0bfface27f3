"""What a run costs before its first row, step by step: each entrant does a little more than the one before."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from local.bench import contestants
from local.bench.builds import Build
from local.bench.contestants import Command, Contestant, Outcome
from local.bench.dataset import Dataset
from local.bench.errors import BenchError
from local.bench.result import Result
from local.bench.services import Services

TABLE = "dag_bundle"  # of one row
IMPORTS = {"driver": "import metadata_export.job", "worker": "import metadata_export.task"}
# Builds before 0.2.0 take the region from the environment.
CLIENTS = (
    "from inspect import signature; from metadata_export import aws; "
    "region = ['us-east-1'] * len(signature(aws.s3_client).parameters); aws.s3_client(*region)"
)
DRIVER_CLIENTS = f"{CLIENTS}; aws.glue_client(*region); aws.secretsmanager_client(*region)"
SHOWN_MS = 5.0


def entrants(data: Dataset, build: Build) -> list[Contestant]:
    """Return what a build's driver and worker do before their first row, step by step, and a run of one row."""
    steps = {
        "Python alone": "pass",
        "driver: imports": IMPORTS["driver"],
        "driver: imports and clients": f"{IMPORTS['driver']}; {DRIVER_CLIENTS}",
        "worker: imports": IMPORTS["worker"],
        "worker: imports and client": f"{IMPORTS['worker']}; {CLIENTS}",
    }
    whole = contestants.engine(
        data, build=build, tables=(TABLE,), key=f"{build.key}-one-row", label=f"{build.label}: a run of one row"
    )
    return [*(_python(data, build, *step) for step in steps.items()), contestants.spark_start(data), whole]


def imports(build: Build) -> list[Result]:
    """Return what importing costs by package, in driver and worker: itself, in ms, the largest first."""
    return [
        {"process": process, "package": package, "ms": round(spent / 1000, 1)}
        for process, code in IMPORTS.items()
        for package, spent in sorted(_import_times(build, code).items(), key=lambda item: -item[1])
        if spent >= SHOWN_MS * 1000
    ]


def _import_times(build: Build, code: str) -> dict[str, int]:
    """Return package -> microseconds, as `-X importtime` has them; modules of the standard library count together."""
    command = [sys.executable, "-X", "importtime", "-c", code]
    env = {"PYTHONPATH": build.python_path}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{build.label} cannot be imported: {done.stderr.strip()[-500:]}")
    spent: dict[str, int] = defaultdict(int)
    for line in done.stderr.splitlines():
        if line.startswith("import time:") and line.split(":")[1].split("|")[0].strip().isdigit():
            own, _, module = line.removeprefix("import time:").split("|")
            package = module.strip().partition(".")[0]
            spent["standard library" if package in sys.stdlib_module_names else package] += int(own)
    return spent


def _python(data: Dataset, build: Build, label: str, code: str) -> Contestant:
    def command(services: Services, folder: Path) -> Command:
        return Command([sys.executable, "-c", code], services.environment | {"PYTHONPATH": build.python_path})

    key = f"{build.key}-{label.replace(' ', '-').replace(':', '')}"
    return Contestant(key, f"{build.label}: {label}", data, command, lambda *_: Outcome(None, 0, {}))
