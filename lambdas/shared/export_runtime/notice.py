"""What is published to the alert topic, within the limits of SNS.

AWS documented: SNS: a subject has less than 100 characters, a message at most 256 KiB.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html

AWS documented: the input or output of a state of Step Functions has at most 256 KiB.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from collections.abc import Iterable

from export_runtime.text import ascii_line

SUBJECT_LIMIT = 99
MESSAGE_LIMIT = 30_000
_CUT = "\n(cut; the summary and the logs have it all)"


def two_ways() -> list[str]:
    """Return what there is to do about a table that cannot be exported."""
    return [
        "A table that cannot be exported costs no other. Repair it (a missing permission, a damaged value: see",
        "docs/troubleshooting.md) and redrive; or leave it out. A redrive has the same input, so start a new execution",
        "with exclude_tables, and deploy the stack with ExcludeTables for all to come.",
    ]


def notice(subject: str, lines: Iterable[str]) -> dict[str, str]:
    """Return subject and message.

    Args:
        subject: may hold foreign text.
        lines: of the message. Foreign text in them must have passed ``one_line``.
    """
    message = "\n".join(lines)
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - len(_CUT)] + _CUT
    return {"subject": ascii_line(subject, SUBJECT_LIMIT), "message": message}
