"""The pipeline without Airflow: PostgreSQL and the emulated AWS, with the template deployed into an MWAA account."""

import functools
import json
import secrets
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from local import deployment, paths, postgres
from local.aws import account, runtimes
from local.aws.account import MwaaAccount
from local.aws.server import EmulatedAws
from local.aws.settings import Settings
from local.console import Progress
from local.paths import StackPaths
from local.postgres import PostgresServer

ENVIRONMENT = "demo"
STACK = f"{ENVIRONMENT}-metadata-export"
DATABASE = "AirflowMetadata"
ALERT_QUEUE = "alerts-of-the-local-stack"


@dataclass(frozen=True)
class Pipeline:
    """The deployed template, the account it is in, and the database that it exports."""

    paths: StackPaths
    database: PostgresServer
    aws: EmulatedAws
    account: MwaaAccount
    outputs: dict[str, str]
    alert_queue_url: str

    @property
    def database_url(self) -> str:
        """The superuser's URL of Airflow's metadata database."""
        return self.database.url(DATABASE)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the account's owner."""
        return client(self.aws, service)

    @functools.cached_property
    def bucket(self) -> str:
        return self.outputs["ExportBucketName"]


@functools.lru_cache(maxsize=64)
def client(aws: EmulatedAws, service: str) -> Any:
    """Return a boto3 client of the emulated account's owner: always the same, for it takes long to make one."""
    config = Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 2}, inject_host_prefix=False)
    return boto3.client(service, config=config, **aws.client_arguments)


def prepare_runtimes(stack_paths: StackPaths, progress: Progress, **settings: Any) -> Settings:
    """Make the environments of Lambda and Glue, and return the emulator's settings.

    Args:
        settings: more of `Settings`.
    """
    with progress.step("Runtimes of Lambda and Glue"):
        return Settings(
            home=stack_paths.aws,
            lambda_python=runtimes.ensure_lambda_runtime(paths.LAMBDA_RUNTIME),
            **runtimes.ensure_spark(paths.GLUE_RUNTIME),
            **settings,
        )


def start_database(stack_paths: StackPaths, progress: Progress, *, detached: bool = False) -> PostgresServer:
    """Start PostgreSQL with an empty metadata database."""
    with progress.step("PostgreSQL with the metadata database"):
        # Characters that must be percent-encoded in a URL: a real password has them too.
        database = postgres.start(
            stack_paths.postgres, password=f"canary-{secrets.token_hex(8)}/@:%41", detached=detached
        )
        database.create_database(DATABASE)
        return database


def deploy(
    stack_paths: StackPaths,
    database: PostgresServer,
    aws: EmulatedAws,
    airflow_version: str,
    progress: Progress,
    **also: str,
) -> Pipeline:
    """Make the account that MWAA would be in, deploy the template into it, and subscribe a queue to its topic.

    Args:
        also: parameters of the template beside those without a default.
    """
    with progress.step("VPC and MWAA environment in the account"):
        mwaa = account.create_mwaa_environment(lambda service: client(aws, service), ENVIRONMENT, airflow_version)
    with progress.step("sam build"):
        template = deployment.build(log=stack_paths.logs / "sam-build.log")
    with progress.step("sam deploy"):
        parameters = {
            "MwaaEnvironmentName": ENVIRONMENT,
            "AlertEmail": "platform-team@example.com",
            "DagBucketName": mwaa.bucket,
            "KeepFernetKey": "true",
            **also,
        }
        deployment.deploy(template, STACK, parameters, aws_env=aws.env, log=stack_paths.logs / "sam-deploy.log")
        outputs = deployment.outputs(client(aws, "cloudformation"), STACK)
    queue_url = subscribe_queue(aws, outputs["AlertTopicArn"], ALERT_QUEUE)
    return Pipeline(stack_paths, database, aws, mwaa, outputs, queue_url)


def subscribe_queue(aws: EmulatedAws, topic: str, name: str) -> str:
    """Make a queue that gets what is published to a topic, and return its URL."""
    sqs = client(aws, "sqs")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    statement |= {"Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    client(aws, "sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url
