"""How a test sets faults in a running emulator.

faults = Faults(aws.endpoint)
faults.slow_down("s3", "UploadPart", times=2)
with faults.held("s3", "PutObject", r"_runs/.*\\.json") as held:
    held.wait()  # until a request waits there
"""

import contextlib
import dataclasses
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.aws.injection.rules import Effect, Rule

PATH = "/_faults"
WAIT_SECONDS = 120.0


class FaultError(Exception):
    """A fault did not happen though it was waited for."""


@dataclass(frozen=True)
class Fault:
    """A rule that is set."""

    faults: "Faults"
    number: int
    rule: Rule

    @property
    def hits(self) -> int:
        """How often it has hit."""
        return self.faults.hits().get(self.number, 0)

    def wait(self, hits: int = 1, seconds: float = WAIT_SECONDS) -> None:
        """Wait until it has hit so often.

        Raises:
            FaultError: it has not within this time.
        """
        deadline = time.monotonic() + seconds
        while self.hits < hits:
            if time.monotonic() > deadline:
                raise FaultError(f"{self.rule} has hit {self.hits} times within {seconds:.0f} s, not {hits}")
            time.sleep(0.05)

    def remove(self) -> None:
        """Take it back; what it holds goes on."""
        self.faults.remove(self.number)


class Faults:
    """The faults of one emulator. `operation`, `resource`, `skip` and `times` are those of `Rule`.

    Args:
        endpoint: URL of the emulator's gateway.
        spares_owner: as of `Rule`, for all of them.
    """

    def __init__(self, endpoint: str, *, spares_owner: bool = False) -> None:
        self._url, self._spares_owner = endpoint + PATH, spares_owner

    def refuse(
        self,
        service: str,
        operation: str,
        code: str,
        status: int = 400,
        message: str = "Injected.",
        *,
        after: bool = False,
        **more: Any,
    ) -> Fault:
        """Answer with an AWS error; `after` the request has had its effect, as when an answer is lost on its way."""
        given = {"code": code, "status": status, "message": message, "after": after}
        return self._add(service, operation, Effect("refuse", given), more)

    def amend(self, service: str, operation: str, name: str, fields: Mapping[str, Any], **more: Any) -> Fault:
        """Change fields of the object `name` in the JSON answer."""
        return self._add(service, operation, Effect("amend", {"name": name, "fields": dict(fields)}), more)

    def slow_down(self, operation: str, resource: str = "", **more: Any) -> Fault:
        """Let S3 answer 503 SlowDown."""
        return self.refuse(
            "s3", operation, "SlowDown", 503, "Please reduce your request rate.", resource=resource, **more
        )

    def corrupt(self, operation: str, resource: str = "", **more: Any) -> Fault:
        """Change a byte of what is written to S3 on its way."""
        return self._add("s3", operation, Effect("corrupt"), {"resource": resource, **more})

    def truncate(self, operation: str, resource: str = "", **more: Any) -> Fault:
        """Shorten an object of S3 after it was written."""
        return self._add("s3", operation, Effect("truncate"), {"resource": resource, **more})

    def lose(self, resource: str = "", **more: Any) -> Fault:
        """Answer CompleteMultipartUpload without making the object."""
        return self._add("s3", "CompleteMultipartUpload", Effect("lose"), {"resource": resource, **more})

    def kill_caller(
        self, service: str, operation: str, resource: str = "", *, after: bool = False, **more: Any
    ) -> Fault:
        """Kill the process that makes a request (SIGKILL), before the request has an effect, or `after` it has."""
        return self._add(service, operation, Effect("kill_caller", {"after": after}), {"resource": resource, **more})

    def skip_glue_run(self, arguments: str = "", state: str = "SUCCEEDED", message: str = "", **more: Any) -> Fault:
        """Let a Glue run end without running its script; `arguments` is searched in the run's.

        Args:
            state: in which it ends.
            message: Glue's ErrorMessage; none when empty.
        """
        given = {"state": state, "message": message}
        return self._add("glue", "Run", Effect("skip", given), {"resource": arguments, **more})

    def throw(self, function: str, error_type: str, message: str, **more: Any) -> Fault:
        """Let a Lambda function throw; `function` is searched in its name."""
        given = {"error_type": error_type, "message": message}
        return self._add("lambda", "Execute", Effect("throw", given), {"resource": function, **more})

    def time_out(self, function: str, **more: Any) -> Fault:
        """Let a Lambda function run into its time-out."""
        # as local/aws/patches/lambda_functions.py has it
        given = {"error_type": "Sandbox.Timedout", "message": "Task timed out after 60.00 seconds"}
        return self._add("lambda", "Execute", Effect("time_out", given), {"resource": function, **more})

    @contextlib.contextmanager
    def held(self, service: str, operation: str, resource: str = "", **more: Any) -> Iterator[Fault]:
        """Let requests wait until the block is left."""
        fault = self._add(service, operation, Effect("hold"), {"resource": resource, "times": None, **more})
        try:
            yield fault
        finally:
            fault.remove()

    def hits(self) -> dict[int, int]:
        """Return how often each rule has hit, by its number."""
        return {int(number): hits for number, hits in self._call("GET").items()}

    def remove(self, number: int | None = None) -> None:
        """Take back one rule, or all."""
        self._call("DELETE", {"number": number})

    def _add(self, service: str, operation: str, effect: Effect, more: dict[str, Any]) -> Fault:
        rule = Rule(service, operation, effect, spares_owner=self._spares_owner, **more)
        return Fault(self, self._call("POST", dataclasses.asdict(rule))["number"], rule)

    def _call(self, method: str, document: object = None) -> dict[str, Any]:
        body = json.dumps(document).encode() if document is not None else None
        request = urllib.request.Request(self._url, data=body, method=method)  # noqa: S310 - our own URL
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:  # noqa: S310
            result: dict[str, Any] = json.load(answer)
        return result
