"""What a cold start costs each function: its import, as Lambda's init phase does it, from the packages as built."""

import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from local import deployment, paths
from local.aws import runtimes
from local.bench.errors import BenchError
from local.bench.result import Result

BASELINE = "boto3 alone"
INIT = r"""
import re, sys, time
started = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - started
print(seconds, int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) * 1024)
"""
SETTINGS = {
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "ENVIRONMENT_NAME": "bench",
    "PYTHONDONTWRITEBYTECODE": "1",
    "POWERTOOLS_METRICS_NAMESPACE": "Bench",
    "POWERTOOLS_SERVICE_NAME": "bench",
}


def measure(rounds: int, log: Path) -> list[Result]:
    """Return a line per function, and one for what all of them need anyway, measured in turns.

    Args:
        rounds: how often each is started; the first start of all, which fills the caches, is not counted.
        log: for the output of `sam build`.

    Raises:
        BenchError: a function cannot be imported.
    """
    python = runtimes.ensure_lambda_runtime(paths.LAMBDA_RUNTIME)
    build = deployment.build(log=log).parent
    with tempfile.TemporaryDirectory() as folder:
        # In Lambda a package is read-only: its modules are compiled at every cold start.
        packages = Path(shutil.copytree(build, Path(folder) / "packages", ignore=shutil.ignore_patterns("__pycache__")))
        starts = dict(_starts(packages))
        taken = {name: [_start(python, *start) for _ in range(rounds + 1)][1:] for name, start in starts.items()}
    return [
        {
            "name": name,
            "init_ms": round(statistics.median(seconds for seconds, _ in turns) * 1000),
            "slowest_ms": round(max(seconds for seconds, _ in turns) * 1000),
            "peak_bytes": round(max(size for _, size in turns)),
        }
        for name, turns in taken.items()
    ]


def _starts(build: Path) -> Iterator[tuple[str, tuple[str, list[Path]]]]:
    """Yield name, module and import path of each function in a built template."""
    yield BASELINE, ("boto3", [])
    resources = yaml.safe_load((build / "template.yaml").read_text())["Resources"]
    layer = build / "SharedLayer" / "python"
    for name, resource in sorted(resources.items()):
        if resource["Type"] == "AWS::Serverless::Function":
            module = resource["Properties"]["Handler"].rpartition(".")[0]
            yield name.removesuffix("Function"), (module, [build / name, layer])


def _start(python: Path, module: str, search_path: list[Path]) -> tuple[float, float]:
    env = SETTINGS | {"PYTHONPATH": ":".join(map(str, search_path))}
    done = subprocess.run([str(python), "-c", INIT, module], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{module} cannot be imported: {done.stderr.strip()[-500:]}")
    seconds, size = done.stdout.split()
    return float(seconds), float(size)
