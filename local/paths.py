"""Where the local stack keeps its files: everything below `.local/`, which git ignores and `make clean` removes."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCAL = ROOT / ".local"
BUILDS = LOCAL / "build"
AIRFLOW_ENVIRONMENTS = LOCAL / "airflow"
GLUE_RUNTIME = LOCAL / "glue-runtime"
LAMBDA_RUNTIME = LOCAL / "lambda-runtime"
NODE_PACKAGES = LOCAL / "node"


@dataclass(frozen=True)
class StackPaths:
    """The folders of one stack, for example of the demo (`.local/demo`)."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def aws(self) -> Path:
        return self.root / "aws"

    @property
    def airflow(self) -> Path:
        return self.root / "airflow"

    @property
    def restored(self) -> Path:
        """Of the Airflow that is started over a restored database."""
        return self.root / "restored"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def mirror(self) -> Path:
        return self.root / "s3"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def state(self) -> Path:
        return self.root / "stack.json"


def stack_paths(name: str) -> StackPaths:
    """Return the folders of the stack `name`, made when they are missing."""
    paths = StackPaths(LOCAL / name)
    paths.logs.mkdir(parents=True, exist_ok=True)
    return paths
