"""Template and code agree on every setting: nothing is set that nobody reads, nothing is read that is not set."""

import json
from collections.abc import Callable
from typing import Any

import aggregate_results.settings
import conduct_drill.settings
import plan_export.settings
import plan_restore.settings
import prepare_connection.preparation
import publish_assets.settings
import pytest
import report_failure.settings
from export_runtime.errors import ConfigurationError

from tests.contract_examples import base
from tests.contracts import violations
from tests.unit.template.definitions import job_defaults, resources, variables

READERS: dict[str, Callable[[dict[str, str]], Any]] = {
    "AggregateResultsFunction": aggregate_results.settings.read_settings,
    "ConductDrillFunction": conduct_drill.settings.read_layout,
    "PlanExportFunction": plan_export.settings.read_settings,
    "PlanRestoreFunction": plan_restore.settings.read_layout,
    "PrepareConnectionFunction": prepare_connection.preparation.read_settings,
    "PublishAssetsFunction": publish_assets.settings.read_settings,
    "ReportFailureFunction": report_failure.settings.read_settings,
}


class Asked(dict[str, str]):
    """Variables that remember which of them were looked at."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


OWN = [(function, name) for function in READERS for name in variables(function) if not name.startswith("POWERTOOLS_")]
"""every function with each variable that is ours: Powertools reads its own"""


def test_every_function_has_settings():
    assert set(READERS) == set(resources("AWS::Serverless::Function"))


@pytest.mark.parametrize("function", READERS)
def test_a_function_reads_exactly_what_the_template_sets(function):
    asked = Asked(variables(function))
    READERS[function](asked)

    assert asked.names == {name for owner, name in OWN if owner == function}


@pytest.mark.parametrize(("function", "name"), OWN)
def test_a_variable_that_is_missing_is_one_error_that_names_it(function, name):
    values = variables(function)
    del values[name]

    with pytest.raises(ConfigurationError, match=rf"\b{name} is not set"):
        READERS[function](values)


def test_a_parameter_that_is_given_reaches_the_settings():
    given = json.dumps(["a,b"])
    settings = plan_export.settings.read_settings(variables("PlanExportFunction", IncludeTables=given, FreshHours="6"))

    assert (settings.include_tables, settings.fresh_hours, settings.max_age_in_days) == (("a,b",), 6, 30)


def test_the_jobs_own_arguments_keep_the_contract():
    own = {name: value for name, value in job_defaults().items() if name.isupper()}

    assert len(own) > 3
    assert violations("job_arguments", base("job_arguments") | own) == []
