"""CloudFormation's side: one answer to every request, whatever happens.

AWS documented: what a custom resource is asked, and must answer.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from export_runtime.text import one_line

from publish_assets.errors import UnansweredError

SUCCESS = "SUCCESS"
FAILED = "FAILED"
_ATTEMPTS = 3
_TIMEOUT_SECONDS = 5.0

Send = Callable[[str, bytes], None]


def send_over_http(url: str, body: bytes) -> None:
    """Put a body to a pre-signed address.

    Raises:
        OSError: it was not accepted.
    """
    # An empty content type is what the address was signed for. The scheme was checked before.
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
        pass


class Answer:
    """The answer to one request; only the first call of ``give`` sends anything."""

    def __init__(self, event: Mapping[str, Any], send: Send = send_over_http, pause: float = 1.0) -> None:
        """Answer this request.

        Args:
            event: what CloudFormation sent.
            send: transport.
            pause: seconds before another attempt.
        """
        self._event = event
        self._send = send
        self._pause = pause
        self._lock = threading.Lock()
        self._given = False

    def give(self, status: str, resource_id: str, reason: str = "", data: Mapping[str, str] | None = None) -> None:
        """Send the answer unless one was sent.

        Args:
            status: ``SUCCESS`` or ``FAILED``.
            resource_id: physical resource id.
            reason: for people; CloudFormation shows it when FAILED.
            data: attributes for ``!GetAtt``.

        Raises:
            UnansweredError: CloudFormation's address did not accept it.
        """
        with self._lock:
            if self._given:
                return
            self._deliver(self._body(status, resource_id, reason, data or {}))
            self._given = True

    def _body(self, status: str, resource_id: str, reason: str, data: Mapping[str, str]) -> bytes:
        copied = {name: self._event.get(name, "") for name in ("StackId", "RequestId", "LogicalResourceId")}
        content = {
            **copied,
            "Status": status,
            "PhysicalResourceId": resource_id,
            # The whole answer may have 4096 bytes.
            "Reason": one_line(reason, 1000),
            "Data": dict(data),
        }
        return json.dumps(content).encode()

    def _deliver(self, body: bytes) -> None:
        url = str(self._event.get("ResponseURL", ""))
        if not url.startswith(("https://", "http://")):
            raise UnansweredError("The request has no ResponseURL: CloudFormation did not send it.")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._send(url, body)
            except OSError as error:
                if attempt == _ATTEMPTS:
                    # The address itself is a credential: it is not shown.
                    raise UnansweredError(
                        f"CloudFormation's address refused the answer: {type(error).__name__}."
                    ) from None
                time.sleep(self._pause)
            else:
                return


def watchdog(answer: Answer, resource_id: str, seconds: float) -> threading.Timer:
    """Start a timer that answers FAILED shortly before Lambda would end the function without an answer."""
    reason = "Publish Assets ran out of time. Deploy again; if it repeats, raise the function's timeout."
    timer = threading.Timer(max(seconds, 0.0), answer.give, (FAILED, resource_id, reason))
    timer.daemon = True
    timer.start()
    return timer
