"""What can go wrong with a real schema."""


class SchemaError(Exception):
    """A metadata schema cannot be made, dumped or restored; holds the end of the output of the command that failed."""
