"""The input of a restore (docs/contracts/restore_input.schema.json), validated as a whole before anything starts."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from export_runtime.text import shown

from plan_restore.errors import InvalidRestoreInputError

UNFINISHED = ("fail", "keep")
_SECRET = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+")
_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\s]+/export_summary_[0-9]{6}\.json\.gz)")


@dataclass(frozen=True)
class RestoreInput:
    """A valid input. No name in ``tables``: all of the export; ``confirm`` repeats the target's name."""

    bucket: str
    summary_key: str
    confirm: str
    tables: tuple[str, ...] = ()
    paused: bool = True
    unfinished: str = "fail"
    without_orphans: bool = False
    old_fernet_key: str | None = None
    """the secret with the exported environment's Fernet keys; None: the target's own"""

    @property
    def summary_uri(self) -> str:
        """Address of the summary."""
        return f"s3://{self.bucket}/{self.summary_key}"

    @property
    def options(self) -> dict[str, object]:
        """Return what the job is told."""
        names = ("paused", "unfinished", "without_orphans", "old_fernet_key")
        return {name: getattr(self, name) for name in names}


def parse_input(raw: object, environment: str) -> RestoreInput:
    """Return the input of an execution.

    Args:
        environment: the target's name, which must be repeated.

    Raises:
        InvalidRestoreInputError: naming every problem with field, value and what is allowed.
    """
    if not isinstance(raw, dict):
        raise InvalidRestoreInputError(
            f"Execution input is {shown(raw)}; allowed is a JSON object. Nothing was started."
        )
    problems = [f"unknown field {shown(name)}; allowed are {', '.join(_CHECKS)}" for name in raw if name not in _CHECKS]
    problems += [f"{name} is missing" for name in ("summary_uri", "confirm") if name not in raw]
    for name, (fits, allowed) in _CHECKS.items():
        if name in raw and not fits(raw[name]):
            problems.append(f"{name} is {shown(raw[name])}; allowed is {allowed}")
    if isinstance(raw.get("confirm"), str) and raw["confirm"] != environment:
        problems.append(
            f"confirm is {shown(raw['confirm'])}; allowed is the name of the environment that is overwritten, "
            f"{environment}"
        )
    if problems:
        listed = " ".join(f"({number}) {problem}." for number, problem in enumerate(problems, 1))
        raise InvalidRestoreInputError(
            f"Execution input is not valid: {listed} Nothing was started; correct the input."
        )
    place = _URI.fullmatch(raw["summary_uri"])
    bucket, key = place.groups() if place else ("", "")
    others = {name: value for name, value in raw.items() if name not in ("summary_uri", "tables")}
    return RestoreInput(bucket, key, tables=tuple(raw.get("tables", ())), **others)


def _is_address(value: object) -> bool:
    return isinstance(value, str) and _URI.fullmatch(value) is not None


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and _SECRET.fullmatch(value) is not None


def _is_tables(value: object) -> bool:
    if not isinstance(value, list) or not all(isinstance(name, str) and 0 < len(name) <= 127 for name in value):
        return False
    return len(set(value)) == len(value)


_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "summary_uri": (_is_address, "s3://<bucket>/<...>/export_summary_HHMMSS.json.gz"),
    "confirm": (lambda value: isinstance(value, str), "the name of the environment that is overwritten"),
    "tables": (_is_tables, "a list of different table names"),
    "paused": (lambda value: isinstance(value, bool), "true and false"),
    "unfinished": (lambda value: isinstance(value, str) and value in UNFINISHED, " and ".join(UNFINISHED)),
    "without_orphans": (lambda value: isinstance(value, bool), "true and false"),
    "old_fernet_key": (_is_secret, "the ARN of a secret in Secrets Manager"),
}
