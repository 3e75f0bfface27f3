"""Encrypted values on their way into another environment, as the bytes of CSV."""

import base64
import csv
import gzip
import hashlib
import io

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from metadata_restore import csv_rows
from metadata_restore.errors import FernetKeyError
from metadata_restore.fernet import Keys, check_keys, rewrite_of
from metadata_restore.keys import make_keys
from metadata_restore.plan import Column, PlannedTable, RestorePlan

# The same in all processes that collect these tests.
OLD, NEW, OTHER = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"o", b"n", b"x"))
TOKEN = Fernet(OLD).encrypt(b"s\xc3\xbcss").decode()
VALUES = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def written(rows: list[list[str | None]]) -> bytes:
    """Return rows as COPY writes them, with the quotes that it need not set too."""
    fields = [[b"" if value is None else csv_rows.field_of(value) for value in row] for row in rows]
    return b"".join(map(csv_rows.line, fields))


def table(name: str, columns: str) -> PlannedTable:
    return PlannedTable(name, name, 0, 0, 0, "", (), tuple(Column(each, "text") for each in columns.split()))


def keys(old: str | None, new: str | None) -> Keys:
    made = make_keys(old, new)
    assert made is not None
    return made


@given(st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=5), st.integers(1, 40))
def test_given_any_rows_in_blocks_of_any_size_when_read_then_every_field_is_what_it_was(
    rows: list[list[str | None]], size: int
) -> None:
    text = written(rows)
    blocks = [text[start : start + size] for start in range(0, len(text), size)]

    found = list(csv_rows.rows(blocks))

    assert [[csv_rows.value(field) for field in row] for row in found] == rows
    assert b"".join(map(csv_rows.line, found)) == text
    # AND another reader agrees, which cannot tell NULL
    assert list(csv.reader(io.StringIO(text.decode(), newline=""))) == [[value or "" for value in row] for row in rows]


@pytest.mark.parametrize(
    ("name", "columns", "row", "changed"),
    [
        ("variable", "id key val is_encrypted", ["1", "a", TOKEN, "t"], [2]),
        ("variable", "id key val is_encrypted", ["1", "a", TOKEN, "f"], []),
        ("variable", "id key val is_encrypted", ["1", "a", TOKEN, None], []),
        ("variable", "is_encrypted val key", ["t", TOKEN, 'x,"\n'], [1]),
        ("connection", "conn_id password extra is_encrypted is_extra_encrypted", ["c", TOKEN, TOKEN, "t", "f"], [1]),
        ("connection", "conn_id password extra is_encrypted is_extra_encrypted", ["c", None, TOKEN, "t", "t"], [2]),
        ("connection", "conn_id password extra is_encrypted is_extra_encrypted", ["c", "", "", "t", "t"], []),
        ("trigger", "id kwargs", ["1", TOKEN], [1]),
        ("trigger", "id kwargs", ["1", '{"a": "gAAAA"}'], []),
        ("trigger", "id kwargs", ["1", ""], []),
    ],
)
def test_given_a_row_when_rewritten_then_only_what_is_encrypted_has_changed(
    name: str, columns: str, row: list[str | None], changed: list[int]
) -> None:
    rewrite = rewrite_of(table(name, columns), keys(OLD, NEW))
    assert rewrite is not None

    [found] = csv_rows.rows(rewrite([written([row])]))

    values = [csv_rows.value(field) for field in found]
    assert [place for place, value in enumerate(values) if value != row[place]] == changed
    assert all(Fernet(NEW).decrypt(str(values[place])).decode() == "süss" for place in changed)


@pytest.mark.parametrize(
    ("old", "new"), [(f"{OTHER}, {OLD}", NEW), (OLD, f"{NEW},{OLD}"), (None, OLD)], ids=["rotated", "rotating", "same"]
)
def test_given_keys_that_fit_when_checked_then_the_encrypted_values_are_counted(old: str | None, new: str) -> None:
    assert _check(keys(old, new), TOKEN) == {"variable": 1}


@pytest.mark.parametrize(
    "token", [TOKEN[:-1], TOKEN[:40], "x", "ü", "\x7f"], ids=["cut", "half", "short", "no ASCII", "control"]
)
@pytest.mark.parametrize(("old", "whose"), [(OLD, "old"), (None, "target's")], ids=["two keys", "one key"])
def test_given_a_token_that_is_none_when_checked_then_the_error_names_row_and_key_alone(
    token: str, old: str | None, whose: str
) -> None:
    with pytest.raises(FernetKeyError) as caught:
        _check(keys(old, OLD), token)
    assert str(caught.value).startswith(f"The {whose} Fernet key does not decrypt variable 'the name'.")
    assert len(token) == 1 or token not in str(caught.value)


@pytest.mark.parametrize("text", ["", "x", OLD[:-1], OLD[2:], f"{OLD},", "ü" * 44, "{}"])
def test_given_a_key_that_is_none_when_made_then_the_error_does_not_repeat_it(text: str) -> None:
    for old, new in ((OLD, text), (text, OLD)):
        with pytest.raises(FernetKeyError, match="44 characters") as caught:
            make_keys(old, new)
        assert caught.value.__cause__ is None
        assert len(text) < 3 or text not in str(caught.value)


def test_given_the_old_key_alone_when_made_then_it_is_refused() -> None:
    assert make_keys(None, None) is None
    with pytest.raises(FernetKeyError, match="--fernet-key"):
        make_keys(OLD, None)


class _Objects:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def size(self, key: str) -> int:
        return len(self._body)

    def open(self, key: str) -> io.BytesIO:
        return io.BytesIO(self._body)


def _check(made: Keys, token: str) -> dict[str, int]:
    body = gzip.compress(written([["key", "val", "is_encrypted"], ["the name", token, "t"], ["plain", "x", "f"]]))
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    columns = tuple(Column(name, "text") for name in ("key", "val", "is_encrypted"))
    variable = PlannedTable("variable", "key", 2, 0, len(body), digest, (len(body),), columns)
    plan = RestorePlan("", "", None, {}, (variable,), True, None, {}, {})
    return check_keys(_Objects(body), plan, made, lambda size: None)
