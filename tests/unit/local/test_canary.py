"""The search for the password finds it in any disguise, and does not pass on nothing."""

import base64
from collections import Counter

import pytest

from local.canary import ALWAYS, LeakError, Search, check

CANARY, OTHER = "canary-0123456789abcdef", "another-0123456789abcdef"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "z", "/@:%41"])
@pytest.mark.parametrize("disguise", [lambda text: text, lambda text: text.hex().encode(), base64.b64encode])
def test_given_the_password_among_other_text_when_looked_at_then_it_is_found(before, after, disguise):
    search = Search((OTHER, CANARY))

    search.look("object", "key", disguise(f"{before}{CANARY}{after}".encode()))

    assert search.found == ["object key"]


def test_given_the_password_deep_in_a_document_when_looked_at_then_it_is_found():
    search = Search((OTHER, CANARY))

    search.look("Glue run", "jr", {"Arguments": {"--X": ["postgresql://u:" + CANARY]}})

    assert search.found == ["Glue run jr"]


def test_given_no_password_when_looked_at_then_nothing_is_found():
    search = Search((OTHER, CANARY))

    search.look("object", "key", b"canary-0123456789abcde and others")

    assert search.found == []


@pytest.mark.parametrize("missing", ALWAYS)
def test_given_nothing_of_a_kind_when_checked_then_the_search_itself_has_failed(missing):
    search = Search((CANARY,), looked_at=Counter(ALWAYS))
    check(search)
    del search.looked_at[missing]

    with pytest.raises(LeakError, match=missing):
        check(search)


def test_given_a_find_when_checked_then_the_place_is_named_and_not_the_password():
    search = Search((CANARY,), looked_at=Counter(ALWAYS), found=["log file a.log"])

    with pytest.raises(LeakError, match=r"log file a\.log") as raised:
        check(search)

    assert CANARY not in str(raised.value)
