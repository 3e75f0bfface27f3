"""What can go wrong. Unless an error says otherwise, the target is as it was."""

from collections.abc import Sequence


class RestoreError(Exception):
    """The restore failed."""


class PlanError(RestoreError):
    """The plan document is not what its contract says."""


class RefusedError(RestoreError):
    """The restore must not begin; ``reasons`` has them all, each with what to do."""

    def __init__(self, reasons: Sequence[str]) -> None:
        """Say all reasons in one message."""
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


class DamagedObjectError(RestoreError):
    """An object is missing, or is not what was exported."""


class ObjectsUnavailableError(RestoreError):
    """The object store does not answer, or refuses."""


class FernetKeyError(RestoreError):
    """A Fernet key is no key, or does not fit what is encrypted."""


class TargetError(RestoreError):
    """The target database cannot be reached, or refuses what is asked of it.

    ``unable``: whatever is asked of it: it is gone, its disk is full.
    """

    def __init__(self, message: str, *, unable: bool = False) -> None:
        """Say what was attempted, and PostgreSQL's reason."""
        super().__init__(message)
        self.unable = unable


class UncertainError(TargetError):
    """The connection was lost while the restore was committed: the target is as it was, or complete."""
