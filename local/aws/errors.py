"""What can go wrong with the emulated AWS."""


class EmulatorError(Exception):
    """Base of all errors of the emulated AWS. Terminal: a person has to act."""


class PatchError(EmulatorError):
    """The installed ministack is not the one that the patches were written for."""


class StartError(EmulatorError):
    """The emulator did not become healthy."""


class RuntimeEnvironmentError(EmulatorError):
    """A Python environment for Glue or Lambda could not be made."""
