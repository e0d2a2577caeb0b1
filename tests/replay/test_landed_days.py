"""Days of landing computed again from Dagster, as its UI's Materialize and backfills do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from orchestration.assets.landed_days import landed_days
from orchestration.resources.clickhouse import ClickHouse
from orchestration.resources.dbt import InProcessDbt
from tests.events import Landing, history
from tests.replay.comparison import contents

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]
Run = Callable[..., None]
WATERMARKS = "SELECT model, kafka_partition, kafka_offset FROM ops.model_watermarks FINAL ORDER BY ALL"


@pytest.fixture(autouse=True)
def server(clickhouse_server: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKHOUSE_HOST", "127.0.0.1")
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))


@contextmanager
def materialized(first: date, last: date) -> Iterator[dg.ExecuteInProcessResult]:
    span = {"dagster/asset_partition_range_start": f"{first}", "dagster/asset_partition_range_end": f"{last}"}
    resources = {"dbt": InProcessDbt(), "clickhouse": ClickHouse()}
    with dg.DagsterInstance.ephemeral() as instance:
        yield dg.materialize([landed_days], tags=span, resources=resources, instance=instance)


def test_what_somebody_broke_is_right_again_and_nothing_else_changes(clickhouse: Client, run: Run) -> None:
    landing = Landing(clickhouse)
    for days_ago, part in zip((1, 0), history(5, 240).iter_slices(132), strict=True):
        landing.land(part, hours_ago=24 * days_ago)
        run()
    right = contents(clickhouse)
    for table in ("int_user_daily", "int_item_daily", "int_purchases", "int_user", "int_funnel_steps"):
        half = f"ALTER TABLE intermediate.{table} DELETE WHERE rand() % 2 = 0"
        clickhouse.command(half, settings={"mutations_sync": 2})
    assert contents(clickhouse) != right
    marks = clickhouse.query(WATERMARKS).result_rows
    first, last = clickhouse.query(
        "SELECT min(toDate(ingested_at)), max(toDate(ingested_at)) FROM raw.events"
    ).first_row
    with materialized(first, last) as done:
        (*_, event) = done.get_asset_materialization_events()
    assert (event.materialization.metadata["events"].value, event.materialization.metadata["slices"].value) == (264, 2)
    assert contents(clickhouse) == right
    assert clickhouse.query(WATERMARKS).result_rows == marks
    run()
    assert contents(clickhouse) == right


def test_a_day_without_landings_costs_nothing(clickhouse: Client, run: Run) -> None:
    run()
    with materialized(date(2026, 1, 2), date(2026, 1, 3)) as done:
        events = done.get_asset_materialization_events()
    assert {event.materialization.metadata["slices"].value for event in events} == {0}
