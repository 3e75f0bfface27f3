"""The event that tells of a verdict (docs/contracts/verdict_event.schema.json), for whoever hangs something on it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from export_runtime.aws import aws_call
from export_runtime.errors import ExportError
from export_runtime.text import one_line

from export_contracts.formats import VERDICT_FORMAT_VERSION
from export_contracts.summary import Summary

SOURCE = "mwaa-metadata-export"
DETAIL_TYPE = "MWAA Metadata Export Verdict"
_TABLES_NAMED = 200
_DESCRIPTION_LIMIT = 3000
# What stands between angle brackets is a link or a call to everybody in Slack.
_HARMLESS = str.maketrans(
    "<>", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
)


class EventBus(Protocol):
    """The client of EventBridge, as far as it is used."""

    def put_events(self, *, Entries: Sequence[Any]) -> Mapping[str, Any]:  # noqa: N803 - AWS' name
        """Put events on a bus."""


@dataclass(frozen=True)
class Verdict:
    """What an execution came to.

    ``is_final`` is false when the execution goes on: what failed is tried again. ``summary`` is None when there is
    none that can be read. ``alert`` has the subject and the message that people get.
    """

    environment: str
    export_id: str
    execution_arn: str
    verdict: str
    is_final: bool
    recovered: bool
    error: str
    summary: Summary | None
    summary_uri: str | None
    last_complete: str | None
    alert: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the detail of the event."""
        return {
            "format_version": VERDICT_FORMAT_VERSION,
            "environment": self.environment,
            "export_id": self.export_id,
            "execution_arn": self.execution_arn,
            "verdict": self.verdict,
            "is_final": self.is_final,
            "recovered": self.recovered,
            "error": one_line(self.error, 200) or None,
            **_of_summary(self.summary),
            "summary_uri": self.summary_uri,
            "last_complete_export_id": self.last_complete,
            "subject": self.alert["subject"],
            "chat_notification": self._chat_notification(),
        }

    def _chat_notification(self) -> dict[str, Any]:
        """Return it as a custom notification of Amazon Q Developer in chat applications.

        AWS documented: the fields of a custom notification, and that others of one thread have the same threadId.
        https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
        """
        title = self.alert["subject"].translate(_HARMLESS)
        description = self.alert["message"][:_DESCRIPTION_LIMIT].translate(_HARMLESS)
        return {
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": title,
                "description": description,
                "keywords": [self.environment, self.verdict],
            },
            "metadata": {
                "threadId": f"{self.environment}-{self.export_id}",
                "summary": title,
                "eventType": self.verdict,
                "relatedResources": [self.execution_arn],
            },
        }


def announce(bus: EventBus, verdict: Verdict) -> str | None:
    """Put a verdict on the default event bus of the account; return what went wrong: it is no reason to fail."""
    entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Resources": [verdict.execution_arn]}
    entry["Detail"] = json.dumps(verdict.to_json())
    try:
        with aws_call("put the verdict on the event bus", "Check that the function's role allows events:PutEvents."):
            answer = bus.put_events(Entries=[entry])
    except ExportError as error:
        return one_line(str(error), 1000)
    refused = [f"{each['ErrorCode']}: {each.get('ErrorMessage')}" for each in answer["Entries"] if "ErrorCode" in each]
    return one_line(f"EventBridge did not take the verdict: {'; '.join(refused)}", 1000) if refused else None


def _of_summary(summary: Summary | None) -> dict[str, Any]:
    if summary is None:
        return {"scope": None, "tables": 0, "rows": 0, "missing_tables": [], "row_falls": 0}
    missing = [one_line(name, 130) for group in summary.failed_groups for name in group.tables]
    return {
        "scope": summary.scope,
        "tables": len(summary.details),
        "rows": summary.total_rows,
        "missing_tables": missing[:_TABLES_NAMED],
        "row_falls": len(summary.row_falls),
    }
