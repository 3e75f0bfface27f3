"""Run by each Airflow's own Python: imports a DAG file and writes, as JSON, what the import warned about and made."""

import importlib.util
import json
import sys
import warnings
from pathlib import Path


def main(path: str, answer: str) -> None:
    import airflow  # noqa: F401 - its own warnings are not the file's

    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec.loader.exec_module(module)
        dag = module.mwaa_metadata_export()
    ours = [
        f"{entry.category.__name__} at line {entry.lineno}: {entry.message}"
        for entry in caught
        if entry.filename == path
    ]
    found = {"ours": ours, "tasks": sorted(dag.task_ids), "parsed_boto3": "boto3" in sys.modules}
    Path(answer).write_text(json.dumps(found))  # Airflow itself writes to standard output


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
