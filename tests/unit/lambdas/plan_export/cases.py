"""Requests and settings for the tests of Plan Export."""

from datetime import UTC, datetime

from export_contracts.layout import Layout
from plan_export.execution_input import parse_input
from plan_export.planning import Request, draft_plan
from plan_export.settings import Settings

from tests.unit.lambdas.conftest import BUCKET

STARTED = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)
NOW = datetime(2026, 12, 11, 14, 30, 25, tzinfo=UTC)
ARN = "arn:aws:states:eu-central-1:123456789012:execution:prod-metadata-export:mine"
OTHER_ARN = "arn:aws:states:eu-central-1:123456789012:execution:prod-metadata-export:other"
LAYOUT = Layout(BUCKET, "exports", "prod")
SETTINGS = Settings(LAYOUT, max_age_in_days=30, include_tables=(), exclude_tables=(), fresh_hours=20)


def request_with(raw: dict | None = None) -> Request:
    """Return a request with this execution input."""
    return Request(parse_input(raw or {}), ARN, STARTED)


def draft(raw: dict | None = None, settings: Settings = SETTINGS):
    """Return export and groups of an execution input."""
    return draft_plan(request_with(raw), settings)
