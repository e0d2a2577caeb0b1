"""Row counts of tables and views, within what a run has time for."""

from __future__ import annotations

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from orchestration.assets.table_metadata import table_metadata

pytestmark = [pytest.mark.clickhouse]
TABLE, VIEW = (dg.AssetKey(["default", name]) for name in ("counted_table", "counted_view"))
MORE_THAN_A_HURRIED_RUN_READS = 300_001


@pytest.fixture
def many_rows(clickhouse: Client) -> Client:
    for name in ("counted_view", "counted_table"):
        clickhouse.command(f"DROP TABLE IF EXISTS default.{name} SYNC")
    clickhouse.command("CREATE TABLE default.counted_table (number UInt64) ENGINE = MergeTree ORDER BY number")
    clickhouse.command(f"INSERT INTO default.counted_table SELECT number FROM numbers({MORE_THAN_A_HURRIED_RUN_READS})")
    clickhouse.command("CREATE VIEW default.counted_view AS SELECT DISTINCT number FROM default.counted_table")
    return clickhouse


def test_a_run_that_comes_every_few_seconds_does_not_count_a_view_of_many_rows(many_rows: Client) -> None:
    with table_metadata(many_rows, [TABLE, VIEW], in_a_hurry=True) as of:
        assert of(TABLE)["dagster/row_count"] == MORE_THAN_A_HURRIED_RUN_READS
        assert "dagster/row_count" not in of(VIEW)
        assert [column.name for column in of(VIEW)["dagster/column_schema"].columns] == ["number"]


def test_a_run_that_somebody_asked_for_counts_it(many_rows: Client) -> None:
    with table_metadata(many_rows, [TABLE, VIEW]) as of:
        assert of(VIEW)["dagster/row_count"] == MORE_THAN_A_HURRIED_RUN_READS
