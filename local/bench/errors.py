"""What can go wrong in a benchmark."""


class BenchError(Exception):
    """The benchmark cannot go on."""


class DriverUnavailableError(BenchError):
    """The JDBC driver cannot be had here: the contestants that need it are left out."""
