"""From exposures in raw to a verdict in marts: the looks are kept, and the newest one shows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from orchestration.assets.experiment_results import experiment_looks
from orchestration.resources.clickhouse import ClickHouse
from tests.dbt_runs import dbt
from tests.events import Landing

pytestmark = [pytest.mark.clickhouse]
START = datetime(2026, 3, 1, tzinfo=UTC)
_WHAT_A_LOOK_READS = ("--select", "+fct_experiment", "+fct_experiment_exposure", "experiment_results")


@pytest.fixture(autouse=True)
def server(clickhouse_server: Settings, clean_marts: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no developer's .env
    monkeypatch.setenv("CLICKHOUSE_HOST", "127.0.0.1")
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))


@pytest.fixture
def built(clickhouse: Client, clickhouse_server: Settings, tmp_path: Path) -> Client:
    """Marts of an experiment in which 10 % of 2,000 users buy, and 25 % of 2,000 others."""
    clickhouse.command("TRUNCATE TABLE ops.experiment_results")
    visits = [_event("page_view", user, 0) for user in range(4_000)]
    buys = [_event("purchase", user, 60) for user in range(4_000) if user // 2 % 20 < (2, 5)[user % 2]]
    Landing(clickhouse).land(pl.DataFrame(visits + buys, schema_overrides={"event_time": pl.Datetime("us", "UTC")}))
    assert set(dbt(clickhouse_server, tmp_path, "run", *_WHAT_A_LOOK_READS).values()) == {"success"}
    return clickhouse


def _event(kind: str, user: int, seconds: int) -> dict[str, object]:
    at = START + timedelta(seconds=user + seconds)
    exposed = kind == "page_view"
    return {
        "event_id": str(uuid.UUID(int=user * 2 + exposed)),
        "event_type": kind,
        "event_time": at,
        "kafka_timestamp": at,
        "user_id": f"user-{user}",
        "price": "" if exposed else "10",
        "experiment_name": "button" if exposed else "",
        "experiment_variation": ("control", "green")[user % 2] if exposed else "",
    }


def look() -> dg.ExecuteInProcessResult:
    return dg.materialize([experiment_looks], resources={"clickhouse": ClickHouse()})


def test_a_clear_effect_is_shipped_with_its_figures(built: Client) -> None:
    assert look().success
    figures = "users, control_users, mean, control_mean, verdict, srm_flagged"
    query = f"SELECT {figures} FROM marts.experiment_results WHERE metric = 'conversion'"
    assert built.query(query).result_rows == [(2000, 2000, 0.25, 0.1, "ship", False)]


def test_every_look_is_kept_and_the_newest_one_shows(built: Client) -> None:
    assert look().success
    assert look().success
    assert built.query("SELECT count(), uniqExact(computed_at) FROM ops.experiment_results").result_rows == [(6, 2)]
    assert built.query("SELECT count(), uniqExact(metric) FROM marts.experiment_results").result_rows == [(3, 3)]


def test_the_smallest_p_of_all_looks_is_remembered(built: Client) -> None:
    look()
    built.command(
        "ALTER TABLE ops.experiment_results UPDATE anytime_p = 1e-30 WHERE metric = 'revenue_per_user'",
        settings={"mutations_sync": 2},
    )
    look()
    query = "SELECT anytime_p FROM marts.experiment_results WHERE metric = 'revenue_per_user'"
    assert built.query(query).result_rows == [(1e-30,)]


def test_without_experiments_there_is_no_look(clickhouse: Client, clickhouse_server: Settings, tmp_path: Path) -> None:
    clickhouse.command("TRUNCATE TABLE ops.experiment_results")
    assert set(dbt(clickhouse_server, tmp_path, "run", *_WHAT_A_LOOK_READS).values()) == {"success"}
    assert look().success
    assert clickhouse.query("SELECT count() FROM ops.experiment_results").result_rows == [(0,)]
