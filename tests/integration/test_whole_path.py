"""From the producer to the marts, and the demo as a newcomer types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from local.demo.reckoning import read_record, reckon
from local.paths import ROOT
from local.ports import free_ports
from tests.dbt_runs import dbt
from tests.oracle import marts
from tests.patience import PROGRAM_SECONDS

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka, pytest.mark.slow]


def millrace(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    names = ("millrace_home", "kafka_broker_url", "kafka_topic", "kafka_group_id", "clickhouse_port")
    environment = os.environ | {name.upper(): str(getattr(settings, name)) for name in names}
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(
        command,
        env=environment | {"KAFKA_FLUSH_INTERVAL": "0.5"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_SECONDS,
        cwd=ROOT,
    )


def test_the_marts_agree_with_the_producers_own_record(
    make_settings: Callable[..., Settings], clickhouse: Client, clean_marts: None, tmp_path: Path
) -> None:
    settings = make_settings()
    faults = ("--duplicate", "0.02", "--late", "0.02", "--malformed", "0.02", "--skew", "0.05")
    history = ("--history-events", "12000", "--history-days", "2", "--count", "2000", "--rate", "2000")
    record = tmp_path / "record"
    sent = millrace(settings, "produce", *history, *faults, "--users", "300", "--items", "40", "--record", str(record))
    assert sent.returncode == 0, sent.stderr
    moved = millrace(settings, "ingest", "--until-caught-up")
    assert moved.returncode == 0, moved.stderr
    counted = reckon(clickhouse, settings.kafka_topic, record)
    assert (counted.missing, counted.duplicated, counted.unexplained) == (0, 0, 0)
    assert set(dbt(settings, tmp_path, "run").values()) == {"success"}
    columns = [name for name in OF_EVENTS if name != "event_time"]
    events = read_record(record, [*columns, "event_time", "fault"])
    expected = marts(events.filter(pl.col("fault") != "malformed"))
    assert counted.produced == events.height > 14_000
    for mart, table in expected.items():
        assert totals(clickhouse, mart) == totals_of(table, mart), mart


OF_EVENTS = (
    *("event_id", "event_type", "event_time", "user_id", "session_id", "item_id", "item_category", "price"),
    *("quantity", "experiment_name", "experiment_variation", "device_type", "country", "page_url", "referrer"),
    *("user_agent", "ip_address", "search_query"),
)
SUMMED = {
    "fct_user": ("sessions", "days_active", "total_interactions", "views", "purchases", "revenue", "distinct_items"),
    "fct_session": ("events", "page_views", "unique_pages", "purchases", "revenue", "is_bounced", "is_bot"),
    "fct_journey": ("moves", "sessions", "users"),
    "fct_journey_path": ("sessions", "users", "converted_sessions", "revenue"),
    "fct_day": ("active_users", "events", "views", "purchases", "revenue"),
    "fct_item": ("views", "clicks", "add_to_carts", "purchases", "units", "revenue", "unique_users", "interactions"),
    "fct_item_hourly": ("views", "clicks", "purchases", "units", "revenue", "unique_users", "interactions"),
    "fct_experiment": ("exposed_users", "converted_users", "conversions", "revenue", "mixed_users", "events"),
    "fct_experiment_daily": ("exposed_users", "conversions", "revenue", "pre_events", "events_pre_events"),
    "fct_experiment_exposure": ("exposed_users",),
}


def totals(client: Client, mart: str) -> tuple[object, ...]:
    sums = ", ".join(f"sum({name})" for name in SUMMED[mart])
    return tuple(client.query(f"SELECT count(), {sums} FROM marts.{mart}").result_rows[0])


def totals_of(table: pl.DataFrame, mart: str) -> tuple[object, ...]:
    return (table.height, *(sum(table[name].to_list()) for name in SUMMED[mart]))


def test_the_demo_loses_nothing_and_alerts_on_the_planted_spike(tmp_path: Path) -> None:
    http, native, kafka, dagster, dashboard, slack = free_ports(6)
    environment = os.environ | {
        "MILLRACE_HOME": str(tmp_path),
        "CLICKHOUSE_PORT": str(http),
        "CLICKHOUSE_NATIVE_PORT": str(native),
        "KAFKA_BROKER_URL": f"localhost:{kafka}",
        "DAGSTER_PORT": str(dagster),
        "DASHBOARD_PORT": str(dashboard),
    }
    arguments = ("--duration", "45", "--history-events", "40000", "--rate", "200", "--slack-port", str(slack))
    command = [sys.executable, "-m", "cli", "demo", *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = json.loads((tmp_path / "demo-report.json").read_text())
    assert report["events_produced"] == report["raw_rows"] + report["dead_letters"] > 40_000
    assert report["dead_letters"] > 0
    assert all(report["rows"][mart] > 0 for mart in ("fct_user", "fct_item", "fct_experiment"))
    assert report["check_evaluations"] > 0
    assert report["freshness_p95_s"] > 0
