"""What a bucket's lifecycle rules do to objects that must be there and be readable.

AWS documented: which objects a lifecycle rule is about, and what it does to them.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from export_cli.checks.archive import ARCHIVE_CLASSES

Rule = Mapping[str, Any]
# AWS documented: S3 moves no object below 128 KiB unless the rule says a size.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
SMALLEST_MOVED = 128 * 1024


@dataclass(frozen=True)
class Objects:
    """Objects whose keys begin with a prefix; the largest has so many bytes. They carry no tags."""

    prefix: str
    largest: float


@dataclass(frozen=True)
class Lifecycle:
    """The rules that are enabled, and what Intelligent-Tiering archives.

    Args:
        rules: as S3 has them.
        moves_small: whether objects under 128 KB are moved too, by rules that say no size.
        tierings: enabled configurations of Intelligent-Tiering with archive tiers.
    """

    rules: tuple[Rule, ...]
    moves_small: bool = True
    tierings: tuple[Rule, ...] = ()

    def expiring(self, objects: Objects) -> Iterable[tuple[Rule, int]]:
        """Yield the rules that delete some of the objects, and after how many days (0: on a date)."""
        for rule in self.rules:
            expiration = rule.get("Expiration", {})
            if {"Days", "Date"} & set(expiration) and _concerns(rule, objects):
                yield rule, expiration.get("Days", 0)

    def archiving(self, objects: Objects) -> Iterable[tuple[Rule, int]]:
        """Yield the rules that archive some of the objects, and after how many days (0: on a date)."""
        for rule in self.rules:
            days = [self._archived(each, objects) for each in rule.get("Transitions", ())]
            moved = [each for each in days if each is not None]
            if moved and _concerns(rule, objects) and self._moves(rule, objects):
                yield rule, min(moved)

    def _archived(self, transition: Mapping[str, Any], objects: Objects) -> int | None:
        """Return after how many days a transition archives, or None when it does not."""
        days = int(transition.get("Days", 0))
        if transition["StorageClass"] in ARCHIVE_CLASSES:
            return days
        if transition["StorageClass"] != "INTELLIGENT_TIERING":
            return None
        idle = [
            int(tier["Days"]) for each in self.tierings if _concerns(each, objects) for tier in each.get("Tierings", ())
        ]
        return days + min(idle) if idle else None

    def _moves(self, rule: Rule, objects: Objects) -> bool:
        sizes = {"ObjectSizeGreaterThan", "ObjectSizeLessThan"} & set(_conditions(rule))
        return bool(sizes) or self.moves_small or objects.largest >= SMALLEST_MOVED


def covers_all(rule: Rule, prefix: str) -> bool:
    """Say whether a rule is for all objects below a prefix: one that also asks for tags or sizes is not."""
    return set(_conditions(rule)) <= {"Prefix"} and prefix.startswith(prefix_of(rule))


def prefix_of(rule: Rule) -> str:
    """Return the prefix of a rule, in whichever of its three places it stands."""
    return str(_conditions(rule).get("Prefix") or rule.get("Prefix") or "")


def _concerns(rule: Rule, objects: Objects) -> bool:
    conditions, prefix = _conditions(rule), prefix_of(rule)
    if {"Tag", "Tags"} & set(conditions) or conditions.get("ObjectSizeGreaterThan", -1) >= objects.largest:
        return False
    return objects.prefix.startswith(prefix) or prefix.startswith(objects.prefix)


def _conditions(rule: Rule) -> dict[str, Any]:
    chosen: dict[str, Any] = dict(rule.get("Filter") or {})
    both: dict[str, Any] = chosen.pop("And", {})
    return chosen | both
