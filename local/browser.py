"""Headless Chromium over the DevTools protocol, by a pipe: no port, no driver, nothing to install with root.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import debian
from local.paths import LOCAL

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 180  # a busy machine may take long


class BrowserError(Exception):
    """No browser here, or it does not answer; says why."""


@dataclass(frozen=True)
class Installed:
    """An executable and the variables with which it runs."""

    executable: str
    environment: dict[str, str]


def at_hand() -> bool:
    """Tell whether a browser was named or fetched before: not for every picture does somebody wait for a download."""
    return bool(os.environ.get("CHROMIUM")) or (LOCAL / "chromium").exists()


def find() -> Installed:
    """Return a Chromium: the one that CHROMIUM names, one on the PATH, or Debian's, unpacked below `.local`.

    Raises:
        BrowserError: there is none, and none can be had.
    """
    named = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else NAMES
    for name in named:
        if executable := shutil.which(name):
            return Installed(executable, dict(os.environ))
    try:
        program = debian.ensure(
            "chromium", "usr/lib/chromium/chromium", LOCAL / "chromium", beside=("chromium-common", "fonts-dejavu-core")
        )
    except debian.DebianPackageError as error:
        raise BrowserError(f"No {', '.join(named)} on the PATH, and Debian's cannot be had: {error}") from error
    return Installed(str(program.executable), {**os.environ, **program.environment})


@dataclass
class Page:
    """What happened in a page since it was opened: addresses requested, console messages, uncaught errors."""

    browser: "Browser"
    session: str
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; it runs although the page may run none."""
        result = self.browser.call("Runtime.evaluate", self.session, expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']['text']}")
        return result["result"].get("value")

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        """Write what the page looks like as PNG: the whole page, or what the window shows."""
        shot = self.browser.call("Page.captureScreenshot", self.session, captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))


class Browser:
    """A running Chromium."""

    def __init__(self, pid: int, send: int, receive: int) -> None:
        """Talk to the process over two pipes."""
        self._pid, self._send, self._receive = pid, send, receive
        self._buffer, self._number = b"", 0
        self._pages: dict[str, Page] = {}

    def open(self, address: str, *, width: int, height: int = 800, scheme: str = "light", scale: float = 1) -> Page:
        """Open an address in a window of its own.

        Args:
            address: http or file.
            width: of the window in CSS pixels; below 600 it is a phone's.
            height: of the window in CSS pixels.
            scheme: "light" or "dark", what prefers-color-scheme says.
            scale: device pixels for one CSS pixel.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable", session)
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", session, **metrics)
        self.call("Emulation.setEmulatedMedia", session, features=[{"name": "prefers-color-scheme", "value": scheme}])
        if error := self.call("Page.navigate", session, url=address).get("errorText"):
            raise BrowserError(f"{address}: {error}")
        self._until(lambda: page.evaluate("document.readyState") == "complete")
        return page

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that arrive meanwhile go to their pages.

        Raises:
            BrowserError: the command failed, or the browser does not answer.
        """
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self._note(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def close(self) -> None:
        """End the browser and all its processes."""
        with contextlib.suppress(BrowserError, OSError):
            self.call("Browser.close")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._send)
        os.close(self._receive)

    def _until(self, condition: Any) -> None:
        end = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > end:
                raise BrowserError(f"The page was not loaded within {SECONDS} s")
            time.sleep(0.02)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._receive], [], [], SECONDS)
            piece = os.read(self._receive, 1 << 20) if ready else b""
            if not piece:
                raise BrowserError("Chromium ended" if ready else f"Chromium did not answer within {SECONDS} s")
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded

    def _note(self, event: dict[str, Any]) -> None:
        page, parameters = self._pages.get(event.get("sessionId", "")), event.get("params", {})
        if page is None:
            return
        if event["method"] == "Network.requestWillBeSent":
            page.requests.append(parameters["request"]["url"])
        elif event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            page.messages.append(json.dumps(parameters))


@contextlib.contextmanager
def running(installed: Installed) -> Iterator[Browser]:
    """Run a browser with an empty profile."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        browser = _start(installed, profile)
        try:
            yield browser
        finally:
            browser.close()


def _start(installed: Installed, profile: str) -> Browser:
    arguments = [
        "--headless",
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
        "--disable-gpu",
        "--no-first-run",
    ]
    arguments += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]
    arguments += ["--hide-scrollbars", "--force-color-profile=srgb"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium's sandbox refuses root
    ours, theirs = zip(*(_pipe(reading) for reading in (False, True)), strict=True)
    # Chromium reads commands from 3 and writes answers to 4.
    actions = [(os.POSIX_SPAWN_DUP2, theirs[0], 3), (os.POSIX_SPAWN_DUP2, theirs[1], 4)]
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    pid = os.posix_spawn(
        installed.executable,
        [installed.executable, *arguments, "about:blank"],
        {**installed.environment, "HOME": profile, "TMPDIR": profile},
        file_actions=[*actions, *silence],
        setpgroup=0,
    )
    for number in theirs:
        os.close(number)
    return Browser(pid, ours[0], ours[1])


def _pipe(reading: bool) -> tuple[int, int]:
    """Return our end and the browser's end of a pipe, of which we read or write; both above the numbers it expects."""
    ends = []
    for number in os.pipe():
        ends.append(fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(number)
    return (ends[0], ends[1]) if reading else (ends[1], ends[0])
