"""Properties of the custom resource."""

import pytest
from publish_assets.errors import InvalidPropertiesError
from publish_assets.properties import parse_properties

from tests.unit.lambdas.publish_assets.cases import PROPERTIES, WITH_DAG


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Bucket": ""}, "Bucket is missing"),
        ({"Prefix": None}, "Prefix is missing"),
        ({"GluePython": "3.12"}, "GluePython is '3.12'; allowed are 3.11, 3.13"),
        ({"GluePython": None}, "GluePython is None"),
        ({"DagBucket": "b", "DagKey": ""}, "DagBucket is given without DagKey"),
    ],
    ids=str,
)
def test_given_unusable_properties_then_the_error_names_them(changes, said):
    with pytest.raises(InvalidPropertiesError) as caught:
        parse_properties({**PROPERTIES, **changes})
    assert said in str(caught.value)


def test_given_several_problems_then_all_are_listed():
    with pytest.raises(InvalidPropertiesError, match=r"Bucket.*Prefix.*GluePython"):
        parse_properties({})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"Build": "8"}, True),
        ({"GluePython": "3.13"}, True),
        ({"DagKey": "other.py"}, True),
        ({"Prefix": "assets/glue/"}, True),
        ({"Bucket": "other"}, False),
        ({"Prefix": "other"}, False),
        ({"DagBucket": "b"}, False),
    ],
    ids=str,
)
def test_given_changes_then_only_another_place_is_another_resource(changes, same):
    before, after = parse_properties(PROPERTIES), parse_properties({**PROPERTIES, **changes})
    assert (before.resource_id == after.resource_id) is same


def test_given_a_dag_is_published_then_another_key_is_another_resource():
    moved = {**WITH_DAG, "DagKey": "other/x.py"}
    assert parse_properties(WITH_DAG).resource_id != parse_properties(moved).resource_id


def test_given_a_dag_alone_then_nothing_of_glue_is_asked_for():
    properties = parse_properties({"DagBucket": "dag-bucket", "DagKey": "dags/x.py"})
    assert (properties.bucket, properties.dag_bucket, properties.dag_key) == ("", "dag-bucket", "dags/x.py")
