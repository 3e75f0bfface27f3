"""S3 layout."""

import json
from datetime import UTC, datetime

import pytest
from export_contracts.layout import (
    Layout,
    export_id,
    parquet_columns_key,
    parquet_prefix,
    report_key,
    started_at,
    table_key,
)

from tests.contract_examples import layouts

STARTED = datetime(2026, 12, 11, 14, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize("example", layouts(), ids=json.dumps)
def test_given_an_export_then_every_key_is_where_the_contract_says(example):
    layout = Layout("bucket", example["base_prefix"], example["environment"])
    started, keys = started_at(example["export_id"]), example["keys"]
    assert table_key(layout.day_prefix(started), example["export_id"], example["table"]) == keys["table"]
    assert (layout.summary_key(started), report_key(keys["summary"])) == (keys["summary"], keys["report"])
    assert layout.schema_key(started) == keys["schema"]
    assert layout.manifest_key(started, example["group"]) == keys["manifest"]
    assert parquet_prefix(layout.root, example["table"], example["export_id"]) == keys["parquet"]
    assert parquet_columns_key(layout.root) == keys["parquet_columns"]
    assert (layout.lock_key, layout.latest_key) == (keys["lock"], keys["latest"])


def test_given_an_export_id_then_it_leads_back_to_the_start_time():
    assert started_at(export_id(STARTED)) == STARTED
