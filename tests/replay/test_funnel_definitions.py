"""A funnel that is defined anew holds for the whole history; one that makes no sense stops everything."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner

from contracts.settings import Settings
from tests.dbt_runs import PROJECT, environment
from tests.events import Landing, history
from tests.funnel_cases import LOOSE, SHOPPING, SHORT, VIEW, variables
from tests.funnel_runs import RunFunnels, contents, runner

pytestmark = [pytest.mark.clickhouse]
FUNNELS = [SHOPPING, SHORT, LOOSE]


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> RunFunnels:
    return runner(clickhouse_server, folder)


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
