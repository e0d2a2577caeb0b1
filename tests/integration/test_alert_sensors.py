"""The sensors as Dagster's daemon runs them: what they read of Dagster, what they do when a neighbour is down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from dagster._core.scheduler.instigation import TickStatus

from contracts.names import ALERT_OUTBOX, INCIDENT_ACTIONS, INCIDENTS
from contracts.settings import Settings
from local.ports import free_ports
from orchestration.resources.clickhouse import ClickHouse
from orchestration.sensors.alert_watch import alert_watch
from orchestration.sensors.alerts import alerts
from orchestration.sensors.sensor_ticks import sensor_states, steady_since
from tests.alert_tools import StandIn, slack_stand_in
from tests.ticks import ticked

pytestmark = pytest.mark.clickhouse
VERDICTS: dict[str, Any] = {}


@dg.asset(owners=["team:shop"])
def orders() -> None:
    pass


@dg.asset_check(asset=orders)
def enough() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(**VERDICTS)


@dg.op
def breaks() -> None:
    raise RuntimeError("the disk is full")


@dg.job
def nightly() -> None:
    breaks()


DEFINITIONS = dg.Definitions(
    assets=[orders],
    asset_checks=[enough],
    jobs=[dg.define_asset_job("checks", dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()), nightly],
    sensors=[alerts, alert_watch],
    resources={"clickhouse": ClickHouse()},
)


@pytest.fixture(scope="module")
def one_instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def instance(one_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance that has seen nothing yet."""
    one_instance.wipe()
    one_instance.wipe_all_schedules()
    return one_instance


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with slack_stand_in(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(
    clickhouse_server: Settings,
    clickhouse: Client,
    stand_in: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)  # no developer's .env
    monkeypatch.setenv("CLICKHOUSE_HOST", "127.0.0.1")
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))
    monkeypatch.setenv("SLACK_API_URL", f"{stand_in.url}/api/")
    for table in (INCIDENTS, INCIDENT_ACTIONS, ALERT_OUTBOX):
        clickhouse.command(f"TRUNCATE TABLE {table}")


def check(instance: dg.DagsterInstance, *, passed: bool, **metadata: object) -> None:
    VERDICTS.clear()
    VERDICTS.update(passed=passed, description="Orders fell.", metadata=metadata)
    assert DEFINITIONS.get_job_def("checks").execute_in_process(instance=instance).success


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[str, str]:
    """Return the reason and the cursor."""
    context = dg.build_sensor_context(instance, cursor=cursor, repository_def=DEFINITIONS.get_repository_def())
    answer = alerts(context, clickhouse=ClickHouse())
    if isinstance(answer, dg.SkipReason):
        return answer.skip_message, cursor or ""
    assert isinstance(answer, dg.SensorResult)
    assert not answer.run_requests
    return answer.skip_reason.skip_message, answer.cursor


def test_a_failed_check_is_a_message_and_a_passing_one_ends_it(instance: dg.DagsterInstance, stand_in: StandIn) -> None:
    evidence = {"group": "complete", "observed": 3, "expected": 10.0, "offending_items": ["a"], "runbook": "docs/r.md"}
    check(instance, passed=False, offending=dg.MetadataValue.md("| a |"), chart={"observed": [1, 2]}, **evidence)
    reason, cursor = tick(instance)
    assert "1 messages sent" in reason
    (post,) = stand_in.posts()
    for part in ("Check failed: enough on orders", "Orders fell.", "*observed*", "| a |", "owner: shop", "docs/r.md"):
        assert part in str(post), part
    assert "upstream: lag unknown" in str(post)
    check(instance, passed=True)
    tick(instance, cursor)
    assert stand_in.shown().startswith("Resolved")
    assert len(stand_in.posts()) == 1


def test_what_is_held_back_is_an_incident_that_nobody_is_told_of(
    instance: dg.DagsterInstance, stand_in: StandIn, clickhouse: Client
) -> None:
    check(instance, passed=True, held_back="the workers are 90,000 messages behind")
    _, cursor = tick(instance)
    held = clickhouse.query(f"SELECT state, held_back, announced FROM {INCIDENTS} FINAL").result_rows
    assert held == [("open", "the workers are 90,000 messages behind", False)]
    assert stand_in.calls() == []
    check(instance, passed=False, held_back="")
    tick(instance, cursor)
    assert len(stand_in.posts()) == 1


def test_between_two_ticks_no_failure_is_missed_and_none_is_counted_twice(
    instance: dg.DagsterInstance, stand_in: StandIn, clickhouse: Client
) -> None:
    check(instance, passed=True)
    _, cursor = tick(instance)
    check(instance, passed=False)
    check(instance, passed=False)
    check(instance, passed=True)
    for _ in range(2):
        tick(instance, cursor)
    assert clickhouse.query(f"SELECT count, state FROM {INCIDENTS} FINAL").result_rows == [(2, "resolved")]
    assert len(stand_in.posts()) == 1


def test_a_failed_run_says_what_failed_and_where(instance: dg.DagsterInstance, stand_in: StandIn) -> None:
    _, cursor = tick(instance)
    assert not nightly.execute_in_process(instance=instance, raise_on_error=False).success
    tick(instance, cursor)
    (post,) = stand_in.posts()
    assert "Run failed: job nightly" in post["text"]
    assert "the disk is full" in str(post)
    assert "/runs/" in str(post)


def test_a_stopped_clickhouse_is_a_reason_and_loses_nothing(
    instance: dg.DagsterInstance, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, clickhouse_server: Settings
) -> None:
    check(instance, passed=False)
    (nobody,) = free_ports(1)
    monkeypatch.setenv("CLICKHOUSE_PORT", str(nobody))
    reason, cursor = tick(instance)
    assert f"ClickHouse at 127.0.0.1:{nobody}" in reason
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))
    tick(instance, cursor)
    assert len(stand_in.posts()) == 1


def test_rules_that_make_no_sense_are_one_line_and_lose_nothing(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stand_in: StandIn
) -> None:
    rules = tmp_path / "mine.yml"
    rules.write_text("channels: {}\nroutes: [{channels: [slack]}]\n")
    monkeypatch.setenv("ALERT_RULES", str(rules))
    check(instance, passed=False)
    reason, cursor = tick(instance)
    assert "mine.yml: routes.0 names the channel 'slack'" in reason
    monkeypatch.delenv("ALERT_RULES")
    tick(instance, cursor)
    assert len(stand_in.posts()) == 1


FAILED, SKIPPED = TickStatus.FAILURE, TickStatus.SKIPPED


@pytest.mark.parametrize(
    ("statuses", "age", "failing"),
    [
        ((SKIPPED, FAILED, FAILED), 1, []),
        ((FAILED, FAILED, FAILED), 1, [True]),
        ((FAILED, FAILED, SKIPPED), 1, [False]),
        ((SKIPPED, SKIPPED, SKIPPED), 601, [True]),
    ],
)
def test_a_sensor_is_in_trouble_when_it_keeps_failing_or_falls_silent(
    instance: dg.DagsterInstance, statuses: tuple[TickStatus, ...], age: float, failing: list[bool]
) -> None:
    now = datetime.now(UTC)
    ticked(instance, "raw_rows", now - timedelta(seconds=age), *statuses)
    long_ago = {"since": (now - timedelta(hours=1)).isoformat()}
    assert [one.failing for one in sensor_states(instance, {"raw_rows"}, now, long_ago)] == failing
    assert sensor_states(instance, {"other"}, now, long_ago) == []


def test_after_a_pause_of_the_daemon_no_sensor_is_called_silent(instance: dg.DagsterInstance) -> None:
    """Each start of Dagster would otherwise alert every sensor."""
    now = datetime.now(UTC)
    ticked(instance, "raw_rows", now - timedelta(hours=1), SKIPPED, SKIPPED, SKIPPED)
    before = {"since": (now - timedelta(days=1)).isoformat(), "looked": (now - timedelta(hours=1)).isoformat()}
    assert [one.failing for one in sensor_states(instance, {"raw_rows"}, now, steady_since(before, now))] == [False]
    steady = {"since": before["since"], "looked": (now - timedelta(seconds=5)).isoformat()}
    assert steady_since(steady, now)["since"] == before["since"]


def watch(instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[str, str]:
    answer = alert_watch(dg.build_sensor_context(instance, cursor=cursor), clickhouse=ClickHouse())
    assert isinstance(answer, dg.SensorResult)
    return answer.skip_reason.skip_message, answer.cursor


def older(cursor: str) -> str:
    """The same memory, an hour later."""
    memory = json.loads(cursor)
    for one in memory["known"].values():
        one["since"] = (datetime.fromisoformat(one["since"]) - timedelta(hours=1)).isoformat()
    return json.dumps(memory)


def test_the_watch_says_elsewhere_that_clickhouse_is_down_and_that_it_is_back(
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    clickhouse_server: Settings,
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", str(free_ports(1)[0]))
    _, cursor = watch(instance)
    assert "alert" not in caplog.text
    _, cursor = watch(instance, older(cursor))
    _, cursor = watch(instance, cursor)
    assert caplog.text.count("The alerting is in trouble: clickhouse:server") == 1
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))
    watch(instance, cursor)
    assert "Over: clickhouse:server" in caplog.text


def test_the_watch_says_what_slack_refuses_and_what_it_will_never_take(
    instance: dg.DagsterInstance, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    _, seen = watch(instance)
    check(instance, passed=False)
    stand_in.misbehave(error="msg_blocks_too_long", times=1)
    _, cursor = tick(instance)
    _, seen = watch(instance, seen)
    assert "1 alerts were rejected" in caplog.text
    assert "Check failed: enough on orders" in caplog.text
    check(instance, passed=True)
    stand_in.misbehave(error="token_revoked", times=100)
    tick(instance, cursor)
    _, seen = watch(instance, seen)
    _, seen = watch(instance, older(seen))
    assert "The channel slack refuses messages: Slack refuses: token_revoked" in caplog.text
    assert caplog.text.count("1 alerts were rejected") == 1
