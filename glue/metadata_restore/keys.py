"""Fernet keys. Only who may have some imports this: the runs that export go without cryptography."""

from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from metadata_restore.errors import FernetKeyError


@dataclass(frozen=True, repr=False)
class FernetKeys:
    """How encrypted values are read, and how they are written.

    Args:
        reading: decrypts what was exported.
        writing: encrypts for the target; None: the target has the same key, so that values stay as they are.
    """

    reading: MultiFernet
    writing: MultiFernet | None = None

    @property
    def translates(self) -> bool:
        """Whether the target has other keys than the exported environment had."""
        return self.writing is not None

    def translate(self, token: str) -> str | None:
        """Return a token as the target can read it; None: it does not decrypt."""
        # A token is ASCII; what is not fails like one that was cut.
        raw = token.encode("ascii", "replace")
        try:
            plain = self.reading.decrypt(raw)
        except InvalidToken:  # without a text of its own
            return None
        return self.writing.encrypt(plain).decode() if self.writing else token


def make_keys(old: str | None, new: str | None) -> FernetKeys | None:
    """Return the keys; None: none were given.

    Args:
        old: of the exported environment, as Airflow's ``fernet_key`` has it: one key, or several with commas between,
            the newest first.
        new: of the target, likewise. Alone it is checked that it reads what was exported.

    Raises:
        FernetKeyError: a text is no key, or the target's is missing. It never names the text.
    """
    if new is None:
        if old is not None:
            raise FernetKeyError("The old Fernet key alone is of no use: give the target's too (--fernet-key).")
        return None
    writing = _fernets(new, "The target's Fernet key")
    if old is None:
        return FernetKeys(MultiFernet(writing))
    return FernetKeys(MultiFernet(_fernets(old, "The old Fernet key")), MultiFernet(writing))


def _fernets(text: str, what: str) -> list[Fernet]:
    try:
        return [Fernet(key.strip()) for key in text.strip().split(",")]
    except (ValueError, TypeError):
        raise FernetKeyError(
            f"{what} is none: it must be 32 bytes in URL-safe base64 (44 characters), or several with commas between."
        ) from None
