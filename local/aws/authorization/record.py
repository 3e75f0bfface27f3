"""Writes every evaluation to a file: one line of JSON for each that differs from those before."""

import json
import threading
from pathlib import Path
from typing import Any

from local.aws.authorization.request import Decision, Request

FILE = "authorization.jsonl"
# What differs from call to call and no policy of this project asks for.
_VOLATILE = ("aws:tokenissuetime", "aws:userid")


class Record:
    """The record of one emulator; None as file records nothing."""

    def __init__(self, file: Path | None = None) -> None:
        self._file, self._seen, self._lock = file, set[str](), threading.Lock()

    def add(self, request: Request, decision: Decision) -> None:
        """Record an evaluation."""
        if self._file is None:
            return
        document = request.to_json()
        keys: dict[str, Any] = document["context"]["principal_keys"]
        document["context"]["principal_keys"] = {name: keys[name] for name in keys if name not in _VOLATILE}
        decided = {"allowed": decision.allowed, "statements": list(decision.statements)}
        line = json.dumps({**document, **decided}, sort_keys=True)
        with self._lock:
            if line not in self._seen:
                self._seen.add(line)
                with self._file.open("a") as file:
                    file.write(line + "\n")


current = Record()


def start(home: Path) -> None:
    """Record from now on, in a folder."""
    global current
    current = Record(home / FILE)


def read(home: Path) -> list[tuple[Request, Decision]]:
    """What an emulator has recorded in its folder."""
    from local.aws.authorization.request import from_json

    lines = [json.loads(line) for line in (home / FILE).read_text().splitlines()]
    return [(from_json(line), Decision(line["allowed"], tuple(line["statements"]))) for line in lines]
