"""Funnels are exact, against a reference that tries everything."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.events import Landing
from tests.funnel_cases import expected, random_events, random_funnel, reached
from tests.funnel_runs import RunFunnels, runner

pytestmark = [pytest.mark.clickhouse]


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> RunFunnels:
    return runner(clickhouse_server, folder)


def test_every_attempt_is_that_of_the_exhaustive_reference(clickhouse: Client, run: RunFunnels) -> None:
    dice = random.Random(11)
    events = random_events(dice, users=10_500)
    funnels = [random_funnel(dice, f"in_order_{steps}", steps, ordered=True) for steps in (2, 3, 4)]
    funnels += [random_funnel(dice, f"any_order_{steps}", steps, ordered=False) for steps in (2, 4)]
    Landing(clickhouse).land(events)
    run(funnels)
    wanted, found = expected(events, funnels), reached(clickhouse)
    assert len(wanted) > 10_000
    assert found == wanted
    counts = Counter((key[0], step) for key, times in wanted.items() for step in range(1, len(times) + 1))
    sums = clickhouse.query("SELECT funnel, step, sum(users) FROM marts.fct_funnel GROUP BY ALL").result_rows
    assert {(funnel, step): users for funnel, step, users in sums if users} == counts
