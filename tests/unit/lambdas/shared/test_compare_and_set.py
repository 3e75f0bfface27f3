"""Written only over what was seen; as often as it takes, within bounds."""

from functools import partial

import pytest
from export_runtime.compare_and_set import ATTEMPTS, compare_and_set
from export_runtime.errors import ContentionError, TransientError

KEY = "some/object.json"


def nothing(_):
    """Let nothing prevent the writing."""


def test_given_nothing_there_then_it_is_written(store):
    assert compare_and_set(store, KEY, b"1", partial(store.read, KEY), nothing) is None
    assert store.read(KEY).body == b"1"


def test_given_a_reason_in_what_is_there_then_it_is_returned_and_nothing_is_written(store):
    store.write(KEY, b"0", "application/json")
    assert compare_and_set(store, KEY, b"1", partial(store.read, KEY), lambda seen: seen.body) == b"0"
    assert store.read(KEY).body == b"0"


@pytest.mark.parametrize(("losses", "tried"), [(0, 1), (1, 2), (ATTEMPTS - 1, ATTEMPTS)])
def test_given_others_are_faster_some_times_then_it_is_written_over_the_last_of_them(store, losses, tried):
    looks = []

    def overtaken():
        seen = store.read(KEY)
        looks.append(seen)
        if len(looks) <= losses:
            store.write(KEY, str(len(looks)).encode(), "application/json")
        return seen

    assert compare_and_set(store, KEY, b"mine", overtaken, nothing) is None
    assert (store.read(KEY).body, len(looks)) == (b"mine", tried)


def test_given_others_are_faster_every_time_then_the_error_names_the_object_and_says_that_it_may_pass(store):
    numbers = iter(range(100))

    def overtaken():
        seen = store.read(KEY)
        store.write(KEY, str(next(numbers)).encode(), "application/json")
        return seen

    with pytest.raises(ContentionError, match=rf"{KEY} was changed {ATTEMPTS} times by others\. It may pass") as caught:
        compare_and_set(store, KEY, b"mine", overtaken, nothing)
    assert isinstance(caught.value, TransientError)
    assert store.read(KEY).body == str(ATTEMPTS - 1).encode()
