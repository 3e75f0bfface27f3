"""CloudFormation: a change set with DeploymentMode REVERT_DRIFT makes again what is gone, and undoes what was changed.

AWS documented: what a drift-aware change set does with a resource that is gone, and with one that was changed.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
https://aws.amazon.com/blogs/devops/safely-handle-configuration-drift-with-cloudformation-drift-aware-change-sets/
"""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import cloudformation, glue, scheduler
from ministack.services.cloudformation import changesets, handlers
from ministack.services.cloudformation import drift as detection

from local.aws.patches.cloudformation import secret_name
from local.aws.patches.replace import attribute, wrap_entry
from local.aws.settings import Settings

MODE = "REVERT_DRIFT"
ACTIONS = {"DELETED": "Add", "MODIFIED": "Modify"}
OF_A_SCHEDULE = ("State", "ScheduleExpression", "ScheduleExpressionTimezone")


def apply(_: Settings) -> None:
    """Patch change sets, and let drift be seen of jobs and schedules too."""
    for owner, name in ((changesets, "_find_change_set"), (changesets, "_p"), (cloudformation, "_change_sets")):
        attribute(owner, name)
    readers = attribute(detection, "_DRIFT_READERS")
    readers.setdefault("AWS::Glue::Job", (_job, frozenset({"Command", "DefaultArguments"})))
    readers.setdefault("AWS::Scheduler::Schedule", (_schedule, frozenset(OF_A_SCHEDULE)))
    wrap_entry(detection, "_DRIFT_READERS", "AWS::SecretsManager::Secret", _by_arn)
    wrap_entry(handlers, "_ACTION_HANDLERS", "CreateChangeSet", _look_at_drift)
    wrap_entry(handlers, "_ACTION_HANDLERS", "ExecuteChangeSet", _revert_drift)


def _job(name: str, _: dict[str, Any]) -> dict[str, Any] | None:
    return glue._jobs.get(name)


def _schedule(name: str, _: dict[str, Any]) -> dict[str, Any] | None:
    return scheduler._schedules.get(f"default/{name}")


def _by_arn(entry: tuple[Callable[..., Any], frozenset[str]]) -> tuple[Callable[..., Any], frozenset[str]]:
    """Look for a secret by its physical id, which is its ARN; ministack looks for its name."""
    read, known = entry
    return lambda arn, properties: read(secret_name(arn), properties), known


def _look_at_drift(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(params: dict[str, Any]) -> Any:
        answer = original(params)
        if answer[0] == 200 and changesets._p(params, "DeploymentMode") == MODE:
            _, found = changesets._find_change_set(
                changesets._p(params, "ChangeSetName"), changesets._p(params, "StackName")
            )
            _add_drift(found)
        return answer

    return create


def _add_drift(change_set: dict[str, Any]) -> None:
    stack = cloudformation._stacks[change_set["StackName"]]
    drifts = [
        detection.detect_resource_drift(stack, name, record, now_iso())
        for name, record in stack["_resources"].items()
        if detection.supports_drift(record["ResourceType"])
    ]
    drifted = [each for each in drifts if each["StackResourceDriftStatus"] in ACTIONS]
    change_set["_drifted"] = {each["LogicalResourceId"]: each["StackResourceDriftStatus"] for each in drifted}
    change_set["Changes"] += [
        {
            "ResourceChange": {
                "Action": ACTIONS[each["StackResourceDriftStatus"]],
                "LogicalResourceId": each["LogicalResourceId"],
                "ResourceType": each["ResourceType"],
            }
        }
        for each in drifted
    ]
    if drifted:
        change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")


def _revert_drift(original: Callable[..., Any]) -> Callable[..., Any]:
    def execute(params: dict[str, Any]) -> Any:
        _, found = changesets._find_change_set(
            changesets._p(params, "ChangeSetName"), changesets._p(params, "StackName")
        )
        known = cloudformation._stacks[found["StackName"]]["_resources"] if found else {}
        for name, status in (found or {}).get("_drifted", {}).items():
            if status == "DELETED":
                known.pop(name, None)
            else:  # other than the template's, so that the update is carried out
                known[name]["Properties"] = {**known[name]["Properties"], "drifted": True}
        return original(params)

    return execute
