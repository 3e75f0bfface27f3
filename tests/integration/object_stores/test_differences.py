from tests.integration.object_stores import test_conditional_writes, test_objects, test_uploads
from tests.integration.object_stores.differences import BACKENDS, DIFFERENCES

SUITE = {name for module in (test_conditional_writes, test_objects, test_uploads) for name in vars(module)}


def test_given_the_known_differences_then_each_names_a_store_and_tests_of_the_suite() -> None:
    """A row that matches nothing would be no difference at all; one that is gone fails in its test."""
    named = [(row.backend, test) for row in DIFFERENCES for test in row.tests]
    assert {backend for backend, _ in named} <= set(BACKENDS)
    assert [test for _, test in named if f"test_given_{test}" not in SUITE] == []
    assert len(named) == len(set(named))
