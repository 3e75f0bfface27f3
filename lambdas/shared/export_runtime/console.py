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
    region = region_of(execution_arn)
    page = f"log-groups/log-group/{group}$3FlogStreamNameFilter$3D{stream}"
    return f"{console(execution_arn)}/cloudwatch/home?region={region}#logsV2:{page}"


def execution_url(execution_arn: str) -> str:
    """Return the address of an execution in the Step Functions console."""
    region = region_of(execution_arn)
    return f"{console(execution_arn)}/states/home?region={region}#/v2/executions/details/{execution_arn}"


def object_url(execution_arn: str, bucket: str, key: str) -> str:
    """Return the address of an object in the S3 console, from where it can be opened."""
    region = region_of(execution_arn)
    return f"{console(execution_arn)}/s3/object/{bucket}?region={region}&prefix={quote(key)}"


def region_of(arn: str) -> str:
    """Return the region that an ARN names."""
    return arn.split(":")[3]


def account_of(arn: str) -> str:
    """Return the account that an ARN names."""
    return arn.split(":")[4]


def console(arn: str) -> str:
    """Return the address of the console that belongs to an ARN's partition and region."""
    _, partition, _, region, *_ = arn.split(":")
    domains = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
    return f"https://{region}.{domains.get(partition, 'console.aws.amazon.com')}"
