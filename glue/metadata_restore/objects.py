"""The objects of an export, as the engine reads them: any store that can tell a size and give bytes."""

from typing import Protocol


class Body(Protocol):
    """The bytes of an object, from its beginning."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end."""

    def close(self) -> object:
        """Read no further."""


class Objects(Protocol):
    """Where the objects are."""

    def size(self, key: str) -> int | None:
        """Return how many bytes an object has; None: there is none.

        Raises:
            DamagedObjectError: it is there and cannot be read (archived).
            ObjectsUnavailableError: the store does not answer, or refuses.
        """

    def open(self, key: str) -> Body:
        """Return the bytes of an object.

        Raises:
            DamagedObjectError: there is none, or it cannot be read (archived).
            ObjectsUnavailableError: the store does not answer, or refuses; also while the bytes are read.
        """
