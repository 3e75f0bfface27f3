"""One answer to every request."""

import json
import threading
import urllib.error

import pytest
from publish_assets.cloudformation import FAILED, SUCCESS, Answer, send_over_http, watchdog
from publish_assets.errors import UnansweredError

from tests.unit.lambdas.publish_assets.cases import STACK, request_for


class FakeTransport:
    """Keeps what is sent; refuses the first few times."""

    def __init__(self, refusals: int = 0) -> None:
        """Refuse so many times."""
        self.refusals = refusals
        self.sent: list[tuple[str, dict]] = []

    def __call__(self, url: str, body: bytes) -> None:
        """Take an answer."""
        if self.refusals:
            self.refusals -= 1
            raise urllib.error.URLError("refused")
        self.sent.append((url, json.loads(body)))


def test_given_an_answer_then_it_is_what_cloudformation_expects():
    transport = FakeTransport()
    Answer(request_for("Create"), transport).give(SUCCESS, "id-1", data={"WheelsUri": "s3://x"})
    ((url, body),) = transport.sent
    assert url.startswith("https://cloudformation.example/")
    assert body == {
        "Status": "SUCCESS",
        "PhysicalResourceId": "id-1",
        "StackId": STACK,
        "RequestId": "request-1",
        "LogicalResourceId": "PublishedAssets",
        "Reason": "",
        "Data": {"WheelsUri": "s3://x"},
    }


def test_given_two_answers_then_only_the_first_is_sent():
    transport = FakeTransport()
    answer = Answer(request_for("Create"), transport)
    answer.give(FAILED, "id-1", "late")
    answer.give(SUCCESS, "id-1")
    assert [body["Status"] for _, body in transport.sent] == ["FAILED"]


def test_given_a_hostile_reason_then_the_answer_stays_below_the_limit():
    transport = FakeTransport()
    Answer(request_for("Create"), transport).give(FAILED, "id-1", "x\n" * 100_000)
    ((_, body),) = transport.sent
    assert body["Reason"].isprintable()
    assert len(json.dumps(body)) < 4096


def test_given_the_address_refuses_twice_then_the_third_attempt_delivers():
    transport = FakeTransport(refusals=2)
    Answer(request_for("Create"), transport, pause=0).give(SUCCESS, "id-1")
    assert len(transport.sent) == 1


def test_given_the_address_always_refuses_then_the_error_does_not_show_it():
    with pytest.raises(UnansweredError) as caught:
        Answer(request_for("Create"), FakeTransport(refusals=9), pause=0).give(SUCCESS, "id-1")
    assert "SIGNATURE" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", None])
def test_given_no_address_then_that_is_an_error(url):
    with pytest.raises(UnansweredError, match="ResponseURL"):
        Answer({**request_for("Create"), "ResponseURL": url}, FakeTransport()).give(SUCCESS, "id-1")


def test_given_time_runs_out_then_the_watchdog_answers_failed():
    answered = threading.Event()
    transport = FakeTransport()

    def send(url: str, body: bytes) -> None:
        transport(url, body)
        answered.set()

    watchdog(Answer(request_for("Create"), send), "id-1", -1.0)
    assert answered.wait(5)
    assert (transport.sent[0][1]["Status"], "out of time" in transport.sent[0][1]["Reason"]) == ("FAILED", True)


def test_given_an_answer_over_http_then_it_is_a_put_without_content_type(monkeypatch):
    seen = []

    class Accepted:
        def __enter__(self) -> None:
            """Accept."""

        def __exit__(self, *error: object) -> None:
            """Leave."""

    def urlopen(request, timeout):
        seen.append((request.get_method(), request.headers, request.data, timeout))
        return Accepted()

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    send_over_http("https://x", b"{}")
    assert seen == [("PUT", {"Content-type": ""}, b"{}", 5.0)]
