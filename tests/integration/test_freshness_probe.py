"""What the demo calls visible is what `fct_item` shows."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.demo.freshness import FreshnessProbe
from tests.dbt_runs import dbt
from tests.events import Landing, history
from tests.integration.ingest_tools import wait_until

pytestmark = [pytest.mark.clickhouse]


def test_an_event_is_visible_when_its_item_has_been_reckoned_and_not_when_it_was_read(
    clickhouse: Client, clean_marts: None, clickhouse_server: Settings, tmp_path: Path
) -> None:
    Landing(clickhouse).land(history(seed=1, events=60))
    began = datetime.now(UTC)
    record = tmp_path / "record"
    record.mkdir()
    landed = clickhouse.query_arrow(
        "SELECT kafka_partition AS partition, kafka_offset AS offset, item_id FROM raw.events"
    )
    events = pl.DataFrame(landed).with_columns(pl.lit(began).alias("event_time"), pl.lit("").alias("fault"))
    events.write_parquet(record / "part.parquet")
    probe = FreshnessProbe(lambda: connect(clickhouse_server))
    probe.start()
    try:
        assert set(dbt(clickhouse_server, tmp_path, "run", "--select", "+int_events").values()) == {"success"}
        read = datetime.now(UTC)
        assert math.isnan(probe.quantiles(record, began)[0])
        assert set(dbt(clickhouse_server, tmp_path, "run", "--select", "+fct_item").values()) == {"success"}
        wait_until(lambda: not math.isnan(probe.quantiles(record, began)[0]))
    finally:
        probe.stop()
    p50, p95 = probe.quantiles(record, began)
    # The figures are rounded to hundredths.
    assert (read - began).total_seconds() - 0.01 <= p50 <= p95 <= (datetime.now(UTC) - began).total_seconds()
