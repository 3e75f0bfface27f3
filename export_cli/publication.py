"""Has the stack's function put script, packages and DAG in place again."""

import json
from dataclasses import dataclass

from export_runtime.errors import AwsCallError
from export_runtime.text import one_line

from export_cli.aws import Aws, call, read_or_none

ASSETS = {"script": "ScriptUri", "packages": "WheelsUri", "DAG": "DagUri"}
"""what is published -> its name in the answer (docs/contracts/published_assets.schema.json)"""
OF_DRILLS = {"database": "DatabaseUri"}
"""likewise, where the stack's version knows drills"""
NEVER_EMPTY = ("ScriptUri", "WheelsUri")
PACKAGES_ARGUMENT = "--additional-python-modules"


@dataclass(frozen=True)
class JobAssets:
    """The addresses that a Glue job names; empty: none."""

    script: str
    packages: str


def publish(aws: Aws, function: str) -> dict[str, str]:
    """Publish, and return the addresses by what they are of: script, packages and, where the stack puts them,
    DAG and database of the drills.

    Args:
        aws: the account.
        function: name of the stack's function Publish Assets.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``; also when the function fails, with its reason.
    """
    with call(f"invoke function {function}", "Allow lambda:InvokeFunction on it."):
        answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"RequestType": "Publish"}))
        content = json.loads(answer["Payload"].read())
    content = content if isinstance(content, dict) else {}
    if "FunctionError" in answer:
        reason = one_line(str(content.get("errorMessage", "no reason was given")), 1000)
        raise AwsCallError(f"Function {function} could not publish: {reason}")
    missing = [name for name in ASSETS.values() if not isinstance(content.get(name), str)]
    missing += [name for name in NEVER_EMPTY if content.get(name) == ""]
    if missing:
        raise AwsCallError(f"Function {function} does not say {', '.join(missing)}: deploy the stack again.")
    published = ASSETS | OF_DRILLS
    return {what: content[attribute] for what, attribute in published.items() if content.get(attribute)}


def job_assets(aws: Aws, name: str) -> JobAssets | None:
    """Return what a Glue job names, or None when there is no such job.

    Raises:
        AwsCallError, AwsUnavailableError: see ``aws_call``.
    """
    with call(f"look at Glue job {name}", "Allow glue:GetJob on it."):
        found = read_or_none(lambda: aws.client("glue").get_job(JobName=name)["Job"])
    if found is None:
        return None
    return JobAssets(
        str(found["Command"]["ScriptLocation"]), found.get("DefaultArguments", {}).get(PACKAGES_ARGUMENT, "")
    )
