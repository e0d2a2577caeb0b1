"""Each real log, however its events arrive, gives the marts of a full rebuild and of the independent oracle."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from tests.events import Landing
from tests.oracle import marts
from tests.replay.comparison import assert_same, contents
from tests.replay.data_sets import FILES, log_events

pytestmark = [pytest.mark.clickhouse]
# How many rows of each log, in one way that has it all; whole logs, in one way after the other, where it is 0.
ROWS = int(os.environ.get("REPLAY_ROWS", "1500"))
Run = Callable[..., None]


def twice(events: pl.DataFrame, landing: Landing, run: Run) -> None:
    """Each event is sent a second time, after the marts have seen the first."""
    landing.land(events)
    run()
    landing.land(events)
    run()


def shuffled_in_many_runs(events: pl.DataFrame, landing: Landing, run: Run) -> None:
    """In no order at all, and each run sees a part."""
    for part in events.sample(fraction=1, shuffle=True, seed=1).iter_slices(len(events) // 4 + 1):
        landing.land(part)
        run()


def days_late(events: pl.DataFrame, landing: Landing, run: Run) -> None:
    """A tenth comes days after the marts have been made without it."""
    landing.land(events.filter(~_is_late()))
    run()
    landing.land(events.filter(_is_late()))
    run()


def shuffled_late_and_twice(events: pl.DataFrame, landing: Landing, run: Run) -> None:
    """Shuffled, a tenth of it days late, and half of it sent twice."""
    shuffled = events.sample(fraction=1, shuffle=True, seed=1)
    half = len(events) // 2
    landing.land(shuffled[:half])
    run()
    landing.land(pl.concat([shuffled[half:], shuffled[:half]]))
    run()


def with_lateness(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events with the time at which Kafka got them: every tenth three days late."""
    late = pl.when(_is_late()).then(timedelta(days=3)).otherwise(timedelta(0))
    return events.with_columns(kafka_timestamp=pl.col("event_time") + late)


def _is_late() -> pl.Expr:
    return pl.int_range(pl.len()) % 10 == 3


@pytest.mark.parametrize("load", [shuffled_late_and_twice] if ROWS else [twice, shuffled_in_many_runs, days_late])
@pytest.mark.parametrize(
    "log", [log if log == "online-retail" else pytest.param(log, marks=pytest.mark.long) for log in FILES]
)
def test_the_marts_of_a_real_log_equal_a_full_rebuild_and_the_oracle(
    log: str,
    load: Callable[[pl.DataFrame, Landing, Run], None],
    clickhouse: Client,
    run: Run,
) -> None:
    events = with_lateness(log_events(log))
    events = events[:ROWS] if ROWS else events
    load(events, Landing(clickhouse), run)
    incremental = contents(clickhouse)
    assert incremental["fct_user"]
    assert incremental["fct_session"]
    run("--full-refresh")
    assert incremental == contents(clickhouse)
    for name, expected in marts(events).items():
        if len(expected):
            assert_same(clickhouse, name, expected)
        else:
            assert not incremental[name], name
