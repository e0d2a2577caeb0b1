"""Funnels of real logs come out as others have counted them."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.events import Landing
from tests.funnel_cases import Funnel
from tests.funnel_runs import RunFunnels, runner
from tests.replay.data_sets import log_events

pytestmark = [pytest.mark.clickhouse]
# What an analyst asks of a whole period: each user once, as far as the user's best day went.
PERIOD = """
SELECT funnel, step, count() FROM (
    SELECT funnel, user_id, max(furthest_step) AS furthest FROM marts.fct_funnel_user GROUP BY funnel, user_id
) ARRAY JOIN range(1, furthest + 1) AS step GROUP BY funnel, step ORDER BY funnel, step
"""
LOGS = {
    "shop-clickstream": {
        (2385, 2015, 1109, 396): ("main", "catalog", "cart", "payment_done"),
        (3611, 1924, 1356, 958, 653): ("catalog", "cart", "delivery_choice", "payment_choice", "payment_done"),
    },
    "ecom-synthetic": {
        (598, 517, 401, 281, 146): ("product_view", "add_to_cart", "shipping_details", "payment_details", "purchase"),
    },
}


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> RunFunnels:
    return runner(clickhouse_server, folder)


def pages(name: str, steps: tuple[str, ...]) -> Funnel:
    chosen = [{"name": step, "page": f"/{step}"} for step in steps]
    return {"name": name, "window_minutes": 525_600, "steps": chosen}


@pytest.mark.parametrize("log", LOGS)
def test_known_results_of_real_logs_come_out(log: str, clickhouse: Client, run: RunFunnels) -> None:
    Landing(clickhouse).land(log_events(log))
    wanted = {f"funnel_{number}": item for number, item in enumerate(LOGS[log].items())}
    run([pages(name, steps) for name, (_, steps) in wanted.items()])
    found: dict[str, tuple[int, ...]] = {}
    for funnel, _, users in clickhouse.query(PERIOD).result_rows:
        found[funnel] = (*found.get(funnel, ()), users)
    assert found == {name: users for name, (users, _) in wanted.items()}
