"""`make up` and `make down`: the stack kept running, to look around in it."""

from local import stack
from local.console import Progress
from local.paths import StackPaths


def up(stack_paths: StackPaths, airflow_version: str, progress: Progress) -> stack.Stack:
    """Start the stack, leave it running, print how to reach it, and return it. One that runs already is replaced."""
    try:
        started = stack.start(stack_paths, airflow_version, progress, detached=True)
    except BaseException:
        stack.stop(stack_paths)
        raise
    say = progress.console.print
    say("\n[bold]Airflow[/]")
    say(f"  {started.airflow.url}   login {started.airflow.username} / {started.airflow.password}")
    say("  trigger the DAG mwaa_metadata_export: it publishes the credentials and exports")
    say("  trigger the demo_* DAGs for more metadata")
    say("\n[bold]AWS[/] (paste this, then use the AWS CLI or boto3 as on a real account)")
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        say(f"  export {name}={started.aws.env[name]}", soft_wrap=True)
    say("\n[bold]For example[/] (once the DAG has published the credentials)")
    arn, location = started.outputs["StateMachineArn"], started.outputs["ExportLocation"]
    say(f"  aws stepfunctions start-execution --state-machine-arn {arn} --input '{{\"force\": true}}'", soft_wrap=True)
    say(f"  aws s3 ls --recursive {location}", soft_wrap=True)
    say("\n  make down   stops all of it")
    return started


def down(stack_paths: StackPaths, progress: Progress) -> None:
    """Stop the stack that `up` started; nothing to do when there is none."""
    with progress.step("Stack stopped"):
        stopped = stack.stop(stack_paths)
    if not stopped:
        progress.note("nothing was running")
