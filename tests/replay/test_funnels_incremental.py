"""However the events arrived and whenever a funnel was defined, the funnels are those of a full rebuild."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner

from contracts.settings import Settings
from tests.dbt_runs import PROJECT, environment
from tests.events import Landing, history
from tests.funnel_cases import Funnel, variables
from tests.funnel_runs import RunFunnels, contents, runner

pytestmark = [pytest.mark.clickhouse]
VIEW, CART, BUY = ({"name": kind, "event_type": kind} for kind in ("page_view", "add_to_cart", "purchase"))
SHOES = {"name": "shoes", "item_category": "shoes"}
SHOPPING: Funnel = {
    "name": "shopping", "window_minutes": 2_880, "steps": [VIEW, CART, BUY], "breakdown": "country",
}  # fmt: skip
SHORT: Funnel = {"name": "short", "window_minutes": 60, "steps": [SHOES, SHOES | {"name": "more"}, BUY]}
LOOSE: Funnel = {"name": "loose", "window_minutes": 600, "ordered": False, "steps": [VIEW, SHOES, BUY]}
FUNNELS = [SHOPPING, SHORT, LOOSE]
Loader = Callable[[pl.DataFrame, Landing, RunFunnels, Client], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> RunFunnels:
    return runner(clickhouse_server, folder)


def newest_first_and_every_run_twice(events: pl.DataFrame, landing: Landing, run: RunFunnels, client: Client) -> None:
    del client
    for part in events.sort("event_time", descending=True).iter_slices(100):
        landing.land(part)
        run(FUNNELS)
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


@pytest.mark.parametrize("load", [newest_first_and_every_run_twice, with_runs_that_stopped_half_way])
def test_funnels_equal_a_full_rebuild(load: Loader, clickhouse: Client, run: RunFunnels) -> None:
    load(history(seed=5, events=270), Landing(clickhouse), run, clickhouse)
    incremental = contents(clickhouse)
    run(FUNNELS, rebuild=True)
    assert incremental == contents(clickhouse)
    assert {row[0] for row in incremental["fct_funnel"]} == {"shopping", "short", "loose"}


def test_a_changed_a_new_and_a_returning_definition_hold_for_the_whole_history(
    clickhouse: Client, run: RunFunnels
) -> None:
    landing, events = Landing(clickhouse), history(seed=6, events=200)
    changed = SHOPPING | {"window_minutes": 30}
    for part, funnels in zip(events.iter_slices(70), ([SHOPPING, SHORT], [changed, LOOSE], FUNNELS), strict=False):
        landing.land(part)
        run(funnels)
        incremental = contents(clickhouse)
        assert {row[0] for row in incremental["fct_funnel"]} == {funnel["name"] for funnel in funnels}
        seen = clickhouse.query("SELECT count() FROM intermediate.int_funnel_user").result_rows
    run(FUNNELS, rebuild=True)
    assert incremental == contents(clickhouse)
    assert seen > clickhouse.query("SELECT count() FROM intermediate.int_funnel_user").result_rows


def test_only_the_changed_funnel_and_touched_days_are_computed(clickhouse: Client, run: RunFunnels) -> None:
    landing, events = Landing(clickhouse), history(seed=7, events=200)
    late = events.filter(pl.col("user_id") == "user-3")
    landing.land(events.filter(pl.col("user_id") != "user-3"))
    run([SHOPPING, SHORT])
    landing.land(late)
    run([SHOPPING | {"breakdown": ""}, SHORT])
    users = (
        "SELECT splitByChar(':', funnel_key)[1] AS funnel, uniqExact(user_id) FROM intermediate.int_funnel_user "
        "WHERE version = (SELECT max(version) FROM intermediate.int_funnel_user) GROUP BY funnel"
    )
    computed = dict(clickhouse.query(users).result_rows)
    assert computed["short"] == 1
    assert computed["shopping"] > 1


BAD = {
    "define at least one funnel": [],
    "window_minutes must be a whole number from 1 to 525600": [SHOPPING | {"window_minutes": 0}],
    "ordered must be true or false": [SHOPPING | {"ordered": "yes"}],
    "breakdown must be empty or one of country, ": [SHOPPING | {"breakdown": "price"}],
    "steps must be a list of 2 to 8 steps": [SHOPPING | {"steps": [VIEW]}],
    "a funnel has no field window; it may have name, steps": [SHOPPING | {"window": 5}],
    "a funnel has the name of another one: shopping": [SHOPPING, SHOPPING],
    "a step has the name of another one: page_view": [SHOPPING | {"steps": [VIEW, VIEW]}],
    "step any would match every event": [SHOPPING | {"steps": [VIEW, {"name": "any"}]}],
    "page may have a * at its end only": [SHOPPING | {"steps": [VIEW, {"name": "odd", "page": "/*/a"}]}],
    "event_type must be text": [SHOPPING | {"steps": [VIEW, {"name": "odd", "event_type": 5}]}],
    "a funnel needs a name of small letters": [SHOPPING | {"name": "My funnel"}],
}


@pytest.mark.parametrize("problem", BAD)
def test_a_definition_that_makes_no_sense_is_refused_before_anything_runs(
    problem: str, clickhouse_server: Settings, folder: Path
) -> None:
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    with environment(clickhouse_server, folder):
        done = dbtRunner().invoke(["--quiet", "parse", *folders, *variables(BAD[problem])])
    assert not done.success
    assert "funnels in dbt_project.yml: " in str(done.exception)
    assert problem in str(done.exception)
