"""What goes wrong, where, and how often."""

import itertools
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Effect:
    """What happens to a request that matches; `name` is a key of the tables in `effects.py`."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One fault.

    Args:
        service: such as `s3`, `glue`, `lambda`, `sns`, `secretsmanager`.
        operation: regular expression on the whole name of the operation as the API has it, such as `UploadPart`. Of
            Lambda it is `Invoke` (the request) or `Execute` (the function itself, whoever invokes it), of Glue also
            `Run` (the script of a started run).
        effect: what happens.
        resource: regular expression, searched in what the request names: bucket/key of S3, the name of a function,
            otherwise the request's body.
        skip: so many matching requests pass first.
        times: so many are hit then; None: all.
        spares_owner: the account's root user, as whom a test looks around, is never hit.
    """

    service: str
    operation: str
    effect: Effect
    resource: str = ""
    skip: int = 0
    times: int | None = 1
    spares_owner: bool = False

    def matches(self, service: str, operation: str, resource: str, by_owner: bool) -> bool:
        """Say whether a request is meant."""
        if by_owner and self.spares_owner:
            return False
        same = service == self.service and re.fullmatch(self.operation, operation) is not None
        return same and re.search(self.resource, resource) is not None


@dataclass
class _Set:
    rule: Rule
    seen: int = 0
    hits: int = 0


class Rules:
    """The rules that are set; safe to use from several threads."""

    def __init__(self) -> None:
        self._set: dict[int, _Set] = {}
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> int:
        """Set a rule and return its id."""
        with self._lock:
            number = next(self._ids)
            self._set[number] = _Set(rule)
            return number

    def remove(self, number: int | None = None) -> None:
        """Take a rule back (all of them without a number); what it holds goes on."""
        with self._lock:
            for each in [number] if number is not None else list(self._set):
                self._set.pop(each, None)

    def take(self, service: str, operation: str, resource: str, *, by_owner: bool = False) -> tuple[int, Effect] | None:
        """Return the id and effect of the first rule that hits a request, and count the hit."""
        with self._lock:
            for number, each in self._set.items():
                if each.rule.matches(service, operation, resource, by_owner) and _hits(each):
                    return number, each.rule.effect
        return None

    def is_set(self, number: int) -> bool:
        """Say whether a rule is still there."""
        with self._lock:
            return number in self._set

    def hits(self) -> dict[int, int]:
        """Return how often each rule has hit."""
        with self._lock:
            return {number: each.hits for number, each in self._set.items()}


def _hits(each: _Set) -> bool:
    each.seen += 1
    due = each.seen > each.rule.skip and (each.rule.times is None or each.hits < each.rule.times)
    each.hits += due
    return due


current = Rules()
"""the rules of this emulator process"""
