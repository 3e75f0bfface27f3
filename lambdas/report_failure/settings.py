"""What the template configures."""

from collections.abc import Mapping
from dataclasses import dataclass

from export_contracts.layout import Layout
from export_runtime.environment import required, whole_number


@dataclass(frozen=True)
class Settings:
    """Where the exports of the environment are, what makes them, whom to tell, and how old the last may become."""

    layout: Layout
    glue_job: str
    topic_arn: str
    log_group: str
    alarm_after_hours: int


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Return the settings that the function's environment variables hold.

    Raises:
        ConfigurationError: a variable is missing.
    """
    return Settings(
        layout=Layout(
            bucket=required(variables, "EXPORT_BUCKET"),
            base_prefix=required(variables, "BASE_PREFIX"),
            environment=required(variables, "ENVIRONMENT_NAME"),
        ),
        glue_job=required(variables, "GLUE_JOB_NAME"),
        topic_arn=required(variables, "ALERT_TOPIC_ARN"),
        log_group=required(variables, "GLUE_LOG_GROUP"),
        alarm_after_hours=whole_number(variables, "ALARM_AFTER_HOURS"),
    )
