"""Foreign text in logs, messages and mails."""

import pytest
from export_runtime.text import ascii_line, one_line, shown


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("first\nsecond", id="line feed"),
        pytest.param("first\r\nsecond", id="carriage return"),
        pytest.param("first\u2028second", id="line separator"),
        pytest.param("first\u0085second", id="next line"),
        pytest.param("first\x1b[2Jsecond", id="escape sequence"),
        pytest.param("first\u202esecond", id="right-to-left override"),
        pytest.param("first\ud800second", id="half a surrogate pair"),
        pytest.param("first\0second", id="NUL"),
    ],
)
def test_given_text_that_breaks_lines_then_it_becomes_one_printable_line(text):
    line = one_line(text, 100)
    assert line.isprintable()
    assert line.startswith("first ")
    assert line.endswith("second")


def test_given_text_longer_than_the_limit_then_it_is_cut_and_says_so():
    line = one_line("x" * 200, 50)
    assert len(line) == 50
    assert line.endswith(" ...")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("could not connect to postgresql://admin:CANARY@db:5432/x", id="URL"),
        pytest.param("connection failed: password=CANARY host=db", id="keyword"),
        pytest.param("Password: 'CANARY' refused", id="quoted"),
        pytest.param('{"password": "CANARY"}', id="JSON"),
        pytest.param("token = CANARY", id="token"),
    ],
)
def test_given_a_credential_in_the_text_then_it_is_not_shown(text):
    assert "CANARY" not in one_line(text, 500)


def test_given_an_ordinary_message_then_it_is_unchanged():
    message = 'relation "dag_run" does not exist (SQLSTATE 42P01)'
    assert one_line(message, 200) == message


def test_given_the_arn_of_a_secret_then_its_name_can_be_read():
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-metadata-export/database-AbCdEf"
    assert one_line(f"cannot read {arn}: denied", 200) == f"cannot read {arn}: denied"


def test_given_letters_outside_ascii_then_a_subject_has_question_marks():
    assert ascii_line("Größe\n1", 50) == "Gr??e 1"


def test_given_a_long_value_then_its_quotation_is_short():
    assert len(shown(["x" * 1000])) == 80
