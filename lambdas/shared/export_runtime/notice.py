"""What is published to the alert topic, within the limits of SNS.

AWS documented: SNS: a subject has less than 100 characters, a message at most 256 KiB.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html

AWS documented: the input or output of a state of Step Functions has at most 256 KiB.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from collections.abc import Iterable

from export_runtime.console import account_of, region_of
from export_runtime.text import ascii_line

SUBJECT_LIMIT = 99
MESSAGE_LIMIT = 30_000
_CUT = "\n(cut; the summary and the logs have it all)"
_LEAST = 12  # what is told in fewer characters says nothing


def two_ways() -> list[str]:
    """Return what there is to do about a table that cannot be exported."""
    return [
        "A table that cannot be exported costs no other. Repair it (a missing permission, a damaged value:",
        "docs/troubleshooting.md) before you redrive. If that cannot be done, start a new export without it, by",
        "exclude_tables, and deploy the stack with ExcludeTables for all to come: a redrive has the same input.",
    ]


def subject(environment: str, verdict: str, what: str = "", ending: str = "") -> str:
    """Return ``demo FAILED: tasks (2 of 11 tables) missing; last complete 9 h ago`` in the space that SNS gives.

    Args:
        environment: name of the MWAA environment; may be foreign text, as all others.
        verdict: of the export, at most 40 characters.
        what: happened; is cut, or left out, where there is no space for it.
        ending: what is to be read in any case, at most 30 characters.
    """
    tail = f"; {ascii_line(ending, 30)}" if ending else ""
    room = SUBJECT_LIMIT - len(tail) - len(verdict) - 1
    head = f"{ascii_line(environment, room)} {verdict}"
    left = SUBJECT_LIMIT - len(head) - len(tail) - 2
    about = f": {ascii_line(what, left)}" if what and left >= _LEAST else ""
    return ascii_line(f"{head}{about}{tail}", SUBJECT_LIMIT)


def place(execution_arn: str) -> str:
    """Return the line that says in which account and region an export runs."""
    return f"Account {account_of(execution_arn)}, region {region_of(execution_arn)}."


def command(name: str, environment: str, execution_arn: str) -> str:
    """Return a command of the command line as a person can run it.

    Args:
        name: command with its arguments, such as ``redrive 20261211T143022Z``.
        environment: name of the MWAA environment.
        execution_arn: tells the region.
    """
    return f"mwaa-metadata-export {name} -e {environment} --region {region_of(execution_arn)}"


def notice(subject_line: str, lines: Iterable[str]) -> dict[str, str]:
    """Return subject and message.

    Args:
        subject_line: as ``subject`` returns it.
        lines: of the message. Foreign text in them must have passed ``one_line``.
    """
    message = "\n".join(lines)
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - len(_CUT)] + _CUT
    return {"subject": subject_line, "message": message}
