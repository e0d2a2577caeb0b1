"""However the events arrived, the funnels are those of a full rebuild."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.events import Landing, history
from tests.funnel_cases import LOOSE, SHOPPING, SHORT
from tests.funnel_runs import RunFunnels, contents, runner

pytestmark = [pytest.mark.clickhouse]
FUNNELS = [SHOPPING, SHORT, LOOSE]
Loader = Callable[[pl.DataFrame, Landing, RunFunnels, Client], None]


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> RunFunnels:
    return runner(clickhouse_server, folder)


def newest_first_and_every_run_twice(events: pl.DataFrame, landing: Landing, run: RunFunnels, client: Client) -> None:
    del client
    for part in events.sort("event_time", descending=True).iter_slices(150):
        landing.land(part)
        run(FUNNELS)
        run(FUNNELS)


def oldest_first(events: pl.DataFrame, landing: Landing, run: RunFunnels, client: Client) -> None:
    """What a day brings changes how far the attempts of the day before have come."""
    del client
    for part in events.sort("event_time").iter_slices(150):
        landing.land(part)
        run(FUNNELS)


def with_runs_that_stopped_half_way(events: pl.DataFrame, landing: Landing, run: RunFunnels, client: Client) -> None:
    reached = ("+int_events", "+int_funnel_steps", "+fct_funnel", "int_events int_funnel_user", "int_events")
    for part, models in zip(events.iter_slices(60), reached, strict=False):
        landing.land(part)
        run(FUNNELS, *models.split())
    # As if the run had died between the insert and the note that it is done.
    client.command(
        "ALTER TABLE ops.model_watermarks DELETE WHERE startsWith(model, 'int_funnel')", settings={"mutations_sync": 2}
    )
    run(FUNNELS)


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(oldest_first, marks=pytest.mark.long),
        pytest.param(newest_first_and_every_run_twice, marks=pytest.mark.long),
        with_runs_that_stopped_half_way,
    ],
)
def test_funnels_equal_a_full_rebuild(load: Loader, clickhouse: Client, run: RunFunnels) -> None:
    load(history(seed=5, events=270), Landing(clickhouse), run, clickhouse)
    incremental = contents(clickhouse)
    run(FUNNELS, rebuild=True)
    assert incremental == contents(clickhouse)
    assert {row[0] for row in incremental["fct_funnel"]} == {"shopping", "short", "loose"}
