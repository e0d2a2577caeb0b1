"""`millrace alerts` as people call it: incidents listed and acted on, channels and rules tried out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from cli.main import run as millrace
from contracts.clickhouse import connect
from contracts.errors import UserError
from contracts.names import ALERT_OUTBOX, INCIDENT_ACTIONS, INCIDENTS, ITEM_SALES_CHECK
from contracts.settings import Settings
from orchestration.alerts.simulate import rule_of, run
from orchestration.alerts.store import ClickHouseStore
from tests.alert_tools import Desk, StandIn, passing, seen, slack_settings, slack_stand_in
from tests.tables import drop_models

pytestmark = pytest.mark.clickhouse
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with slack_stand_in(tmp_path) as running:
        yield running


@pytest.fixture
def desk(
    clickhouse: Client,
    clickhouse_server: Settings,
    stand_in: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)  # no developer's .env
    monkeypatch.setenv("CLICKHOUSE_HOST", "127.0.0.1")
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))
    monkeypatch.setenv("SLACK_API_URL", f"{stand_in.url}/api/")
    for table in (INCIDENTS, INCIDENT_ACTIONS, ALERT_OUTBOX):
        clickhouse.command(f"TRUNCATE TABLE {table}")
    with connect(clickhouse_server) as client:
        yield Desk(ClickHouseStore(client), slack_settings(stand_in))


def listed(capsys: Capture, *options: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert millrace(["alerts", "list", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_incident_is_listed_acknowledged_and_resolved_by_the_beginning_of_its_name(
    desk: Desk, capsys: Capture, stand_in: StandIn
) -> None:
    desk.tick(seen(0, "i1", owner="shop", title="x\x1b[31m"), passing(0, subject="other"), at=0)
    (incident,) = listed(capsys)
    name = str(incident["fingerprint"])[:6]
    assert (incident["state"], incident["owner"], incident["count"]) == ("open", "shop", 1)
    assert millrace(["alerts", "ack", name, "--by", "ann", "--note", "on it"]) == 0
    desk.tick(at=5)
    assert [one["acknowledged_by"] for one in listed(capsys, "--state", "acknowledged")] == ["ann"]
    millrace(["alerts", "list"])
    shown = capsys.readouterr().out
    assert "acknowledged by ann" in shown
    assert "\x1b" not in shown
    assert millrace(["alerts", "note", name, "a bad deploy"]) == 0
    assert millrace(["alerts", "resolve", name, "--by", "ann"]) == 0
    desk.tick(at=10)
    assert listed(capsys) == []
    # The desk's clock stands on yesterday's noon.
    assert [one["resolved_by"] for one in listed(capsys, "--state", "resolved", "--last", "2d")] == ["ann"]
    assert len(stand_in.posts()) == 1
    assert stand_in.notes()[0] == "ann: on it"
    assert millrace(["alerts", "ack", name]) == 2
    assert "is over since" in capsys.readouterr().err


def test_a_mistake_is_one_line(desk: Desk, capsys: Capture) -> None:
    desk.tick(seen(0), seen(0, subject="b"), at=0)
    for arguments, said in (
        (["ack", "zzz"], "there is no incident 'zzz'"),
        (["ack", ""], "there is no incident ''"),
        (["list", "--state", "bad"], "there are open, acknowledged, resolved, lasting, all"),
        (["list", "--last", "soon"], "--last 'soon'"),
        (["test", "pager"], "no channel 'pager'"),
        (["simulate", "nothing"], f"rules that look at hours: {ITEM_SALES_CHECK}"),
        (["simulate", "item_sales_w", "--last", "5m"], "no complete hour"),
    ):
        assert millrace(["alerts", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_a_test_message_reaches_what_is_set_up_and_says_what_is_not(
    desk: Desk, capsys: Capture, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert millrace(["alerts", "test"]) == 0
    out = capsys.readouterr().out
    assert "slack: sent (C0LOCAL/" in out
    assert "email: not set up" in out
    assert stand_in.posts()[0]["text"].startswith("Test message of Millrace")
    stand_in.misbehave(error="token_revoked")
    assert millrace(["alerts", "test", "slack"]) == 1
    assert "token_revoked" in capsys.readouterr().out
    assert millrace(["alerts", "test", "email"]) == 1


def test_simulate_counts_the_hours_in_which_a_rule_would_have_fired(
    desk: Desk, clickhouse: Client, capsys: Capture
) -> None:
    """A week of two items that sell 30 an hour each, and i1 sells 150 in two hours in a row and once more later."""
    drop_models(clickhouse)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clickhouse.command(
        "CREATE TABLE marts.fct_item_hourly (item_id String, item_category String, event_hour DateTime('UTC'), "
        "purchases UInt64) ENGINE = MergeTree ORDER BY event_hour"
    )
    clickhouse.command(
        "INSERT INTO marts.fct_item_hourly SELECT concat('i', toString(number % 20)), 'c', "
        "{hour:DateTime('UTC')} - toIntervalHour(intDiv(number, 20) + 1) AS at, "
        "if(number % 20 = 1 AND dateDiff('hour', at, {hour:DateTime('UTC')}) IN (5, 6, 20), 150, 30) "
        "FROM numbers(168 * 20)",
        parameters={"hour": hour},
    )
    span = (hour - timedelta(days=2), hour + timedelta(minutes=5))
    report = run(rule_of("item_sales_w"), clickhouse, desk.settings, span)
    assert (report.hours, report.hours_with_hits, report.incidents) == (48, 3, 2)
    assert {(hit.item, hit.observed) for hit in report.hits} == {("i1", 150.0)}
    assert millrace(["alerts", "simulate", ITEM_SALES_CHECK, "--last", "12h"]) == 0
    assert "1 incidents" in capsys.readouterr().out
    drops = run(rule_of("item_sales_d"), clickhouse, desk.settings, span)
    assert (drops.hours, drops.incidents) == (48, 0)
    clickhouse.command("TRUNCATE TABLE marts.fct_item_hourly")
    assert millrace(["alerts", "simulate", ITEM_SALES_CHECK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hours"] == 0
    drop_models(clickhouse)


def test_a_rule_is_named_by_its_beginning() -> None:
    assert rule_of("item_sales_w") == ITEM_SALES_CHECK
    for name in ("", "item", "nothing"):
        with pytest.raises(UserError, match="rules that look at hours: item_sales_within_expected, item_sales_drops"):
            rule_of(name)
