"""`make demo`: everything once, in front of a person, and everything stopped at the end."""

from datetime import UTC, datetime
from typing import Any

from export_contracts.summary import COMPLETE

from local import asked, grid, observe, restored
from local.airflow import population
from local.airflow import server as airflow_server
from local.console import Progress
from local.fault_matrix.runs import KillGroupOnce
from local.observe import write_result
from local.paths import ROOT, StackPaths
from local.stack import ENVIRONMENT, Stack, running

JOB = f"{ENVIRONMENT}-metadata-export"


class DemoError(Exception):
    """The export of the demo did not end as it must."""


def run(
    stack_paths: StackPaths, airflow_version: str, fail: str | None, restore: bool, progress: Progress
) -> dict[str, Any]:
    """Start the stack, let Airflow work, export through the DAG, show what happened, and stop everything.

    Args:
        stack_paths: where the stack and the result go.
        airflow_version: for example 3.3.1.
        fail: table group whose Glue run is killed once; None lets all succeed.
        restore: start a second Airflow over what was exported.
        progress: what the person sees.

    Returns:
        What `result.json` holds.

    Raises:
        DemoError: the export is not COMPLETE, the fault did not show, or the second Airflow is not like the first.
    """
    with running(stack_paths, airflow_version, progress) as stack:
        with progress.step("Airflow runs the example DAGs") as note:
            population.populate(stack.airflow, progress=note)
        state = export(stack, progress, fail=fail)
        result = describe(stack, progress) | {"airflow_version": airflow_version, "dag_run_state": state, "fail": fail}
        result["asked"] = asked.ask(stack, progress) if result["summary"] else None
        result["restored"] = (
            restore_again(stack, result["summary"], progress) if restore and result["summary"] else None
        )
    result["total_seconds"] = round(progress.elapsed(), 1)
    write_result(stack_paths, result)
    show(result, progress)
    check(result)
    return result


def export(stack: Stack, progress: Progress, *, fail: str | None = None, conf: dict[str, Any] | None = None) -> str:
    """Run the export DAG in the stack's Airflow and return the state in which its run ended."""
    with progress.step("Airflow runs the export DAG") as note:
        killer = KillGroupOnce(stack.client("glue"), JOB, fail, note) if fail else None
        run_id = population.trigger_export(stack.airflow, conf=conf)
        if killer:
            killer.start()
        try:
            return population.wait_for_export(stack.airflow, run_id, progress=note)
        finally:
            if killer:
                killer.stop()


def restore_again(stack: Stack, summary: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Restore the export, and return what a second Airflow over it shows; the first one is stopped, as in a move."""
    airflow_server.stop(stack.paths.airflow)
    with restored.booted(stack, summary["export_id"], "create", progress) as second:
        described = restored.describe(second, summary["tables"], progress)
        file = stack.paths.root / "grid.png"
        drawn = grid.picture(second.airflow, restored.RUN_ALONE, file)
        return described | {"picture": str(file.relative_to(ROOT)) if drawn else None}


def describe(stack: Stack, progress: Progress) -> dict[str, Any]:
    """Return what the newest execution did: states, Glue runs, summary, files, alerts, durations."""
    stepfunctions, s3 = stack.client("stepfunctions"), stack.client("s3")
    executions = stepfunctions.list_executions(stateMachineArn=stack.outputs["StateMachineArn"])["executions"]
    if not executions:
        raise DemoError(f"The DAG started no execution: see the task logs in {stack.paths.airflow}/logs.")
    newest = executions[0]
    execution = stepfunctions.describe_execution(executionArn=newest["executionArn"])
    summary_uri = observe.summary_uri(execution)
    keys = observe.mirror(s3, stack.bucket, "exports/", stack.paths.mirror)
    states = observe.executed_states(stepfunctions, newest["executionArn"])
    return {
        "environment": ENVIRONMENT,
        "execution": {
            key: execution.get(key) for key in ("executionArn", "status", "error", "cause", "input", "output")
        },
        "states": states,
        "seconds_outside_glue": observe.seconds_outside_glue(states),
        "glue_runs": observe.glue_runs(stack.client("glue"), JOB),
        "summary_uri": summary_uri,
        "summary": observe.read_summary(s3, summary_uri) if summary_uri else None,
        "objects": keys,
        "mirror": str((stack.paths.mirror / stack.bucket).relative_to(ROOT)),
        "alerts": observe.received_alerts(stack.client("sqs"), stack.alert_queue_url),
        "seconds": progress.seconds,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def show(result: dict[str, Any], progress: Progress) -> None:
    """Print a result: states, tables, summary, files, alerts."""
    progress.table(
        "Executed states",
        ["state", "times ", "seconds ", "ended"],
        ([s["state"], s["times"], _seconds(s["seconds"]), s["status"]] for s in result["states"]),
    )
    progress.note(f"{_seconds(result['seconds_outside_glue'])} s of these outside Glue")
    progress.table(
        "Glue runs",
        ["group", "state", "seconds ", "error"],
        ([r["group"], r["state"], _seconds(r["seconds"]), r["error"] or ""] for r in result["glue_runs"]),
    )
    if result["summary"]:
        _show_summary(result["summary"], progress)
    _show_alerts(result["alerts"], progress)
    if result["asked"]:
        asked.show(result["asked"], progress)
    if result["restored"]:
        restored.show(result["restored"], progress)
    progress.say("")
    progress.say("[bold]Where the files are[/]")
    progress.note(f"in S3:            {(result['summary_uri'] or '').rpartition('/')[0]}/")
    progress.note(f"on this machine:  {result['mirror']}/")
    for report in (key for key in result["objects"] if key.endswith(".html")):
        progress.note(f"the report:       {result['mirror']}/{report}")
    if result["asked"]:
        pages = filter(None, (result["asked"]["insights"], result["asked"]["picture"]))
        progress.note(f"the insights:     {', '.join(pages)}")
    if result["restored"] and result["restored"]["picture"]:
        progress.note(f"second Airflow:   {result['restored']['picture']}")
    progress.note("all of the above: .local/demo/result.json")


def check(result: dict[str, Any]) -> None:
    """Fail when the demo did not show what it is for.

    Raises:
        DemoError: says what is missing, and where to look.
    """
    status = (result["summary"] or {}).get("status")
    if (result["execution"]["status"], status, result["dag_run_state"]) != ("SUCCEEDED", COMPLETE, "success"):
        raise DemoError(
            f"The export is not complete: execution {result['execution']['status']}, summary {status}, "
            f"DAG run {result['dag_run_state']}. {result['execution'].get('cause') or ''} See .local/demo/logs."
        )
    if result["restored"] and (wrong := restored.faults(result["restored"])):
        raise DemoError("The second Airflow is not like the first: " + "; ".join(wrong))
    alerts = len(result["alerts"])
    if alerts != (2 if result["fail"] else 0):
        raise DemoError(
            f"{alerts} messages arrived at the topic; {'an alert and a notice' if result['fail'] else 'none'} expected"
        )


def _show_summary(summary: dict[str, Any], progress: Progress) -> None:
    details = summary["details"].items()
    progress.table(
        "Exported tables",
        ["table", "group", "rows ", "CSV bytes ", "object bytes ", "seconds ", "window"],
        (
            [
                t,
                d["group"],
                d["rows"],
                f"{d['csv_bytes']:,}",
                f"{d['object_bytes']:,}",
                _seconds(d["duration_seconds"]),
                d["window"],
            ]
            for t, d in details
        ),
    )
    facts = (
        "status",
        "export_id",
        "airflow_version",
        "consistency",
        "total_tables",
        "total_rows",
        "cutoff_date",
        "duration_seconds",
    )
    progress.table(
        "Summary",
        ["field", "value"],
        [
            *([fact, summary[fact]] for fact in facts),
            ["skipped_tables", f"{len(summary['skipped_tables'])} (not in this Airflow's schema)"],
            ["uncatalogued_tables", ", ".join(summary["uncatalogued_tables"]) or "none"],
        ],
    )


def _show_alerts(alerts: list[dict[str, str]], progress: Progress) -> None:
    progress.say("")
    progress.say("[bold]What arrived at the SNS topic[/]")
    if not alerts:
        progress.note("nothing: all went well")
    for alert in alerts:
        progress.note(f"Subject: {alert['subject']}")
        for line in alert["message"].splitlines():
            progress.note(f"  {line}")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
