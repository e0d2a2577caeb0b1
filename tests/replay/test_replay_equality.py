"""However the events arrived, the marts are those of a full rebuild, and those of the independent oracle."""

from __future__ import annotations

import os
from collections.abc import Callable

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from tests.events import Landing, history
from tests.oracle import marts
from tests.replay.comparison import assert_same, contents

pytestmark = [pytest.mark.clickhouse]
EVENTS = int(os.environ.get("REPLAY_EVENTS", "240"))
Loader = Callable[[pl.DataFrame, Landing, Callable[..., None]], None]


def with_an_insert_that_took_hours(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    """A worker stamps a batch, repeats its insert through an outage, and lands it when the marts are long past it."""
    half = len(events) // 2
    landing.land(events[:half])
    run()
    landing.land(events[half:], hours_ago=3)
    run()


def in_many_ways_at_once(events: pl.DataFrame, landing: Landing, run: Callable[..., None]) -> None:
    """Newest first, with a run that is repeated, one that stopped half way and an insert that took hours."""
    newest, middle, oldest = events.sort("event_time", descending=True).iter_slices(len(events) // 3 + 1)
    landing.land(newest)
    run()
    run()
    landing.land(middle)
    run("--select", "stg_events", "int_events", "int_user_daily", "int_sessions", "int_item_hourly")
    landing.land(oldest, hours_ago=3)
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
        in_many_ways_at_once,
        *(
            pytest.param(way, marks=pytest.mark.long)
            for way in (
                in_one_run,
                in_many_small_runs,
                newest_first,
                with_every_run_repeated,
                with_runs_that_stopped_half_way,
                with_an_insert_that_took_hours,
            )
        ),
    ],
)
def test_the_marts_equal_a_full_rebuild_and_the_oracle(
    load: Loader, seed: int, clickhouse: Client, run: Callable[..., None]
) -> None:
    events = history(seed, EVENTS)
    load(events, Landing(clickhouse), run)
    assert_rebuilt_and_told(events, clickhouse, run)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(7, 7 + int(os.environ.get("REPLAY_SEEDS", "1"))))
def test_so_they_do_after_two_months_of_runs_with_events_weeks_late(
    seed: int, clickhouse: Client, run: Callable[..., None]
) -> None:
    """Whole months are summed up apart from days, and users come back after weeks."""
    events = history(seed, EVENTS)
    later = (pl.col("event_time") - events["event_time"].min()) * 30
    events = events.with_columns(pl.col("event_time", "kafka_timestamp") + later).sort("event_time")
    landing = Landing(clickhouse)
    is_late = pl.col("event_id").hash(seed) % 10 == 0
    late, in_time = events.filter(is_late), events.filter(~is_late)
    for number, part in enumerate(in_time.iter_slices(len(in_time) // 6 + 1)):
        # Of those that are late, one with each of the first runs and all others with the fifth.
        landing.land(pl.concat([part, late[number : number + 1 if number < 4 else None] if number < 5 else late[:0]]))
        run()
    assert_rebuilt_and_told(events, clickhouse, run)


def assert_rebuilt_and_told(events: pl.DataFrame, clickhouse: Client, run: Callable[..., None]) -> None:
    """Assert that the marts are what a full rebuild makes, and what the oracle says of the events."""
    incremental = contents(clickhouse)
    run("--full-refresh")
    assert incremental == contents(clickhouse)
    for name, expected in marts(events).items():
        assert_same(clickhouse, name, expected)
