"""`python -m local.bench.together <folder>`: run the commands of <folder>/commands.json at once, and fail if one fails.

So is everything that they use measured as one contestant. Each has a working folder and a file for its output.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

COMMANDS = "commands.json"


def main(folder: Path) -> int:
    """Return the first exit code that is not 0, after the end of all."""
    running = {}
    for name, command in json.loads((folder / COMMANDS).read_text()).items():
        with (folder / f"{name}.log").open("wb") as output:
            running[name] = subprocess.Popen(
                command["argv"],
                cwd=folder / name,
                env=os.environ | command["env"],
                stdout=output,
                stderr=output,
            )
    codes = {name: process.wait() for name, process in running.items()}
    for name in (name for name, code in codes.items() if code):
        last = (folder / f"{name}.log").read_text(errors="replace").splitlines()[-10:]
        print(f"{name} ended with {codes[name]}:", *last, sep="\n", file=sys.stderr)
    return next((code for code in codes.values() if code), 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
