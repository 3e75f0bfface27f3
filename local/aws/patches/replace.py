"""The one way in which this package changes ministack.

AWS nothing: it holds for any change.
"""

from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Any

from local.aws.errors import PatchError

PINNED_VERSION = "1.5.33"


def check_version() -> None:
    """Refuse to patch another ministack than the pinned one.

    Raises:
        PatchError: names both versions.
    """
    installed = version("ministack")
    if installed != PINNED_VERSION:
        raise PatchError(
            f"local/aws/patches are written for ministack {PINNED_VERSION}, but {installed} is installed. "
            "Install the pinned version, or check each patch against the new one and raise PINNED_VERSION."
        )


def replace(owner: ModuleType | type, name: str, new: Any) -> Any:
    """Replace an attribute of a module or class of ministack, and return the original.

    Raises:
        PatchError: the attribute does not exist, so the patch would be without effect.
    """
    original = attribute(owner, name)
    setattr(owner, name, new)
    return original


def attribute(owner: ModuleType | type, name: str) -> Any:
    """An attribute of ministack that a patch relies on.

    Raises:
        PatchError: it does not exist.
    """
    if not hasattr(owner, name):
        raise PatchError(
            f"ministack {version('ministack')}: {owner.__name__}.{name} does not exist, so it cannot be patched"
        )
    return getattr(owner, name)


def wrap(owner: ModuleType | type, name: str, make: Callable[[Any], Any]) -> None:
    """Replace an attribute by what `make` builds around the original.

    Raises:
        PatchError: the attribute does not exist.
    """
    replace(owner, name, make(attribute(owner, name)))


def replace_text(owner: ModuleType, name: str, old: str, new: str) -> None:
    """Replace the only occurrence of `old` in a text constant of ministack.

    Raises:
        PatchError: the constant does not exist, or does not hold `old` exactly once.
    """
    text = attribute(owner, name)
    if text.count(old) != 1:
        raise PatchError(
            f"ministack {version('ministack')}: {owner.__name__}.{name} holds {old!r} {text.count(old)} times, not once"
        )
    setattr(owner, name, text.replace(old, new))


def wrap_entry(owner: ModuleType, table: str, key: str, make: Callable[[Any], Any]) -> None:
    """Replace an entry of a dispatch table by what `make` builds around the original.

    Raises:
        PatchError: the table or the entry does not exist.
    """
    entries = attribute(owner, table)
    if key not in entries:
        raise PatchError(f"ministack {version('ministack')}: {owner.__name__}.{table}[{key!r}] does not exist")
    entries[key] = make(entries[key])
