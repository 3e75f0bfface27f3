"""One function of the DAG file in a process of its own, as a worker runs it; prints what it returns as JSON.

python -m tests.faults.dag_task start_export '["arn of the secret", {}, "run id"]'
"""

import json
import sys
from collections.abc import Sequence

import pytest

from tests.unit.dags.conftest import load_dag


def main(argv: Sequence[str]) -> int:
    """Call the function `argv[0]` with the arguments that `argv[1]` lists."""
    dag = load_dag(pytest.MonkeyPatch())
    returned = getattr(dag, argv[0])(*json.loads(argv[1]))
    sys.stdout.write(json.dumps(returned, default=vars) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
