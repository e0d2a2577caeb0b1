"""However the events arrived, the marts are those of a full rebuild, and those of the independent oracle."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from contracts.names import MARTS
from contracts.settings import Settings
from tests.dbt_runs import dbt
from tests.events import Landing, history
from tests.oracle import marts

pytestmark = [pytest.mark.clickhouse]
EVENTS = int(os.environ.get("REPLAY_EVENTS", "240"))
Rows = dict[str, list[tuple[Any, ...]]]
Loader = Callable[[pl.DataFrame, Landing, Callable[..., None]], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> Callable[..., None]:
    def run_models(*arguments: str) -> None:
        statuses = dbt(clickhouse_server, folder, "run", *arguments)
        assert set(statuses.values()) == {"success"}, statuses

    return run_models


def contents(client: Client) -> Rows:
    return {mart: sorted(client.query(f"SELECT * FROM marts.{mart}").result_rows, key=repr) for mart in MARTS}


def assert_same(client: Client, mart: str, expected: pl.DataFrame) -> None:
    """Compare a mart with the oracle's, row by row, in the columns that the oracle knows."""
    columns = [column if column != "hour" else "event_hour" for column in expected.columns]
    answer = client.query(f"SELECT {', '.join(columns)} FROM marts.{mart}", query_tz="UTC", tz_mode="aware")
    found = [dict(zip(columns, row, strict=True)) for row in answer.result_rows]
    wanted = [dict(zip(columns, row, strict=True)) for row in expected.rows()]
    ours, theirs = sorted(map(_plain, found)), sorted(map(_plain, wanted))
    different = next(((one, other) for one, other in zip(ours, theirs, strict=False) if one != other), None)
    assert different is None, (mart, *different)
    assert len(ours) == len(theirs), mart


def _plain(row: dict[str, Any]) -> str:
    """Return a row as text that is the same for equal values of different types."""
    by_type = dict(sorted(row.pop("events_by_type", {}).items()))
    return repr([by_type and {kind: n for kind, n in by_type.items() if n}, *map(_value, row.items())])


def _value(item: tuple[str, Any]) -> tuple[str, Any]:
    name, value = item
    if isinstance(value, Decimal):
        return name, value.normalize() + 0
    if isinstance(value, datetime):
        return name, value.isoformat()
    if isinstance(value, (list, tuple, pl.Series)):
        return name, list(value)
    return name, int(value) if isinstance(value, bool) else value


def with_an_insert_that_took_hours(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    """A worker stamps a batch, repeats its insert through an outage, and lands it when the marts are long past it."""
    half = len(events) // 2
    landing.land(events[:half])
    run()
    landing.land(events[half:], hours_ago=3)
    run()


def in_one_run(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    landing.land(events)
    run()


def in_many_small_runs(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    for part in events.iter_slices(len(events) // 3):
        landing.land(part)
        run()


def newest_first(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    for part in events.sort("event_time", descending=True).iter_slices(len(events) // 2):
        landing.land(part)
        run()


def with_every_run_repeated(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    for part in events.iter_slices(len(events) // 2):
        landing.land(part)
        run()
        run()


def with_runs_that_stopped_half_way(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    stops = (
        "stg_events int_events",
        "int_events int_user_daily int_item_events int_purchases",
        "int_user_daily int_sessions int_item_hourly int_experiment_users",
    )
    run()
    for part, reached in zip(events.iter_slices(len(events) // 3 + 1), stops, strict=True):
        landing.land(part)
        run("--select", *reached.split())
    run()


@pytest.mark.parametrize("seed", range(7, 7 + int(os.environ.get("REPLAY_SEEDS", "1"))))
@pytest.mark.parametrize(
    "load",
    [
        in_one_run,
        in_many_small_runs,
        newest_first,
        with_every_run_repeated,
        with_runs_that_stopped_half_way,
        with_an_insert_that_took_hours,
    ],
)
def test_the_marts_equal_a_full_rebuild_and_the_oracle(
    load: Loader, seed: int, clickhouse: Client, run: Callable[..., None]
) -> None:
    events = history(seed, EVENTS)
    load(events, Landing(clickhouse), run)
    incremental = contents(clickhouse)
    run("--full-refresh")
    assert incremental == contents(clickhouse)
    for name, expected in marts(events).items():
        assert_same(clickhouse, name, expected)
