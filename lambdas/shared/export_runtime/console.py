"""Addresses in the AWS console, for people."""

from urllib.parse import quote


def log_url(execution_arn: str, log_group: str, job_run_id: str | None) -> str | None:
    """Return the address of a Glue run's log streams in the CloudWatch console.

    AWS documented: the name of a stream begins with the run's id; what follows it (driver, executor) depends on the
    version of Glue, so the console is asked for the streams that begin so.
    https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html

    Args:
        execution_arn: tells partition and region.
        log_group: where Glue writes what a run prints.
        job_run_id: begins the names of its log streams; None: there is no log.
    """
    if job_run_id is None:
        return None
    # The console wants its path encoded twice, with $ in the place of %, and the delimiters of its query once.
    group, stream = (quote(quote(part, safe=""), safe="").replace("%", "$") for part in (log_group, job_run_id))
    region = execution_arn.split(":")[3]
    page = f"log-groups/log-group/{group}$3FlogStreamNameFilter$3D{stream}"
    return f"{console(execution_arn)}/cloudwatch/home?region={region}#logsV2:{page}"


def execution_url(execution_arn: str) -> str:
    """Return the address of an execution in the Step Functions console."""
    region = execution_arn.split(":")[3]
    return f"{console(execution_arn)}/states/home?region={region}#/v2/executions/details/{execution_arn}"


def console(arn: str) -> str:
    """Return the address of the console that belongs to an ARN's partition and region."""
    _, partition, _, region, *_ = arn.split(":")
    domains = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
    return f"https://{region}.{domains.get(partition, 'console.aws.amazon.com')}"
