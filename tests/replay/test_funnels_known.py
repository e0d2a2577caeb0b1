"""Funnels of real logs come out as others have counted them."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from local.paths import ROOT
from streaming.produce.replay.convert import convert
from streaming.produce.replay.mapping import load_mapping
from streaming.produce.replay.read import read_rows
from tests.events import Landing
from tests.funnel_cases import Funnel
from tests.funnel_runs import RunFunnels, runner

pytestmark = [pytest.mark.clickhouse]
# Not all of these logs may ship with the project; they lie beside it, or where the variable says.
DATA = Path(os.environ.get("MILLRACE_DATA") or ROOT.parent / "shared" / "data")
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> RunFunnels:
    return runner(clickhouse_server, folder)


def log_events(name: str) -> pl.DataFrame:
    path, mapping = DATA / f"{name}.csv.gz", load_mapping(name)
    if not path.exists():
        pytest.skip(f"{path.name} is not in {DATA}; MILLRACE_DATA names another folder")
    events = convert(read_rows(path, mapping), mapping, name).events
    names = ("event_id", "event_type", "event_time", "user_id", "page_url")
    return events.select(*names, price=pl.lit(""), kafka_timestamp=pl.col("event_time"))


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
