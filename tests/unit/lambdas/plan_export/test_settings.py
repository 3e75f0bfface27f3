"""Defaults of the stack."""

import pytest
from export_runtime.errors import ConfigurationError
from plan_export.settings import read_settings

from tests.unit.template.definitions import variables

VARIABLES = variables("PlanExportFunction")


def test_given_the_templates_defaults_then_they_are_thirty_days_and_all_tables():
    settings = read_settings(VARIABLES)
    assert (settings.max_age_in_days, settings.include_tables, settings.exclude_tables) == (30, (), ())
    assert settings.fresh_hours == 20
    assert settings.layout.root == "exports/prod-backups"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("other-team,Other Team,2024_audit", ("other-team", "Other Team", "2024_audit")),
        ("log,celery.celery_taskmeta", ("log", "celery.celery_taskmeta")),
        ('["a,b", "say \\"hi\\"", "\\u00fcn\\u00ef", "[x]", " "]', ("a,b", 'say "hi"', "ünï", "[x]", " ")),
        ('["log"]', ("log",)),
        ("[]", ()),
        (" ", ()),
    ],
)
def test_given_a_list_of_names_then_it_is_of_commas_or_json(text, names):
    assert read_settings({**VARIABLES, "EXCLUDE_TABLES": text}).exclude_tables == names


@pytest.mark.parametrize("text", ['["log"', "[log]", '["log"], x'])
def test_given_a_json_list_that_is_none_then_the_error_names_the_parameter_and_what_to_write(text):
    with pytest.raises(
        ConfigurationError, match=r"Parameter ExcludeTables is .* begins like a JSON list.*separated by"
    ):
        read_settings({**VARIABLES, "EXCLUDE_TABLES": text})


def test_given_all_variables_then_they_are_read():
    more = {"MAX_AGE_IN_DAYS": "null", "INCLUDE_TABLES": "log, job", "EXCLUDE_TABLES": "xcom", "FRESH_HOURS": "6"}
    settings = read_settings({**VARIABLES, **more})
    assert settings.max_age_in_days is None
    assert settings.include_tables == ("log", "job")
    assert settings.exclude_tables == ("xcom",)
    assert settings.fresh_hours == 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_AGE_IN_DAYS", "0"),
        ("MAX_AGE_IN_DAYS", "9999"),
        ("MAX_AGE_IN_DAYS", "a month"),
        ("MAX_AGE_IN_DAYS", ""),
        ("INCLUDE_TABLES", '["a", 7]'),
        ("INCLUDE_TABLES", "a" * 64),
        ("INCLUDE_TABLES", "log,,job"),
        ("INCLUDE_TABLES", "session"),
        ("FRESH_HOURS", "-1"),
        ("FRESH_HOURS", "0"),
        ("FRESH_HOURS", ""),
        ("FRESH_HOURS", "\u0662"),
        ("EXPORT_BUCKET", ""),
        ("ENVIRONMENT_NAME", ""),
    ],
)
def test_given_a_malformed_variable_then_the_error_names_it_or_its_field(name, value):
    with pytest.raises(ConfigurationError) as caught:
        read_settings({**VARIABLES, name: value})
    assert name.lower() in str(caught.value).lower()
