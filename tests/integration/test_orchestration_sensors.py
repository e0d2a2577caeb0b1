"""The sensors skip with a reason a person can act on, and ask for a run when there is something to do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from dagster._core.test_utils import create_run_for_test

from contracts.clock import ManualClock
from contracts.names import ANALYSES_JOB, DBT_JOB
from contracts.settings import Settings
from local.ports import free_ports
from orchestration.assets.archive import ARCHIVE_KEY
from orchestration.assets.landed_days import LANDED_DAYS_KEY
from orchestration.resources.clickhouse import ClickHouse
from orchestration.sensors import raw_rows as raw_rows_module
from orchestration.sensors.after_marts import dbt_tests
from orchestration.sensors.raw_rows import Cursor, ends_soon, raw_rows
from orchestration.sensors.retention import old_runs

INSERT = (
    "INSERT INTO raw.events (event_id, event_type, event_time, user_id,"
    " kafka_topic, kafka_partition, kafka_offset, ingested_at)"
    " SELECT generateUUIDv4(), 'click', now64(6), 'u', 't', number % 2, {offset:UInt64} + number, now64(3)"
    " FROM numbers(10)"
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(autouse=True)
def server(clickhouse_server: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no developer's .env
    monkeypatch.setenv("CLICKHOUSE_HOST", "127.0.0.1")
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))


@pytest.fixture(autouse=True)
def no_watermarks(request: pytest.FixtureRequest) -> None:
    if "clickhouse" in request.fixturenames:
        request.getfixturevalue("clickhouse").command("TRUNCATE TABLE ops.model_watermarks")


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    return raw_rows(dg.build_sensor_context(instance, cursor=cursor), clickhouse=ClickHouse())


def skip(answer: dg.SensorResult | dg.SkipReason) -> str:
    assert isinstance(answer, dg.SkipReason), answer
    return answer.skip_message


def asked(answer: dg.SensorResult | dg.SkipReason) -> tuple[dg.RunRequest, str]:
    assert isinstance(answer, dg.SensorResult), answer
    (request,) = answer.run_requests
    return request, answer.cursor


def test_a_stopped_clickhouse_is_a_reason_with_its_address_and_takes_no_time(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nobody,) = free_ports(1)
    monkeypatch.setenv("CLICKHOUSE_PORT", str(nobody))
    started = time.monotonic()
    reason = skip(tick(instance))
    assert f"ClickHouse cannot be reached at 127.0.0.1:{nobody}" in reason
    assert time.monotonic() - started < 5


def test_an_empty_raw_table_is_a_reason(instance: dg.DagsterInstance, clickhouse: Client) -> None:
    assert "nothing has landed" in skip(tick(instance))


def test_what_a_run_left_is_asked_for_without_new_rows(instance: dg.DagsterInstance, clickhouse: Client) -> None:
    clickhouse.command(INSERT, parameters={"offset": 0})
    _, cursor = asked(tick(instance))
    watermark = "INSERT INTO ops.model_watermarks (model, kafka_topic, kafka_partition, kafka_offset) VALUES"
    clickhouse.command(watermark, data="('int_events', 't', 0, 8), ('int_events', 't', 1, 3)")
    request, cursor = asked(tick(instance, cursor))
    assert request.tags["millrace/reason"] == "rest"
    clickhouse.command(watermark, data="('int_events', 't', 1, 9)")
    assert "No new rows" in skip(tick(instance, cursor))


def test_new_rows_ask_for_one_run_and_no_second_one(instance: dg.DagsterInstance, clickhouse: Client) -> None:
    clickhouse.command(INSERT, parameters={"offset": 0})
    first, cursor = asked(tick(instance))
    assert json.loads(cursor)["position"] == {"t/0": 8, "t/1": 9}
    assert "No new rows" in skip(tick(instance, cursor))
    clickhouse.command(INSERT, parameters={"offset": 10})
    second, _ = asked(tick(instance, cursor))
    assert first.run_key != second.run_key


def test_a_table_filled_again_to_the_same_position_is_new(instance: dg.DagsterInstance, clickhouse: Client) -> None:
    clickhouse.command(INSERT, parameters={"offset": 0})
    first, cursor = asked(tick(instance))
    clickhouse.command(INSERT, parameters={"offset": 10})
    _, cursor = asked(tick(instance, cursor))
    clickhouse.command("TRUNCATE TABLE raw.events")
    clickhouse.command(INSERT, parameters={"offset": 0})
    again, _ = asked(tick(instance, cursor))
    assert first.run_key != again.run_key


@pytest.mark.parametrize("job", [DBT_JOB, "__ASSET_JOB"])
def test_a_run_that_goes_on_is_a_reason(
    instance: dg.DagsterInstance, clickhouse: Client, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_rows_module, "PATIENCE_SECONDS", 0.0)
    clickhouse.command(INSERT, parameters={"offset": 0})
    create_run_for_test(instance, job_name=job, status=dg.DagsterRunStatus.STARTED)
    assert "is still going (started)" in skip(tick(instance))


def test_rows_that_landed_during_a_run_are_asked_for_when_it_ends(
    instance: dg.DagsterInstance, clickhouse: Client
) -> None:
    clickhouse.command(INSERT, parameters={"offset": 0})
    run = create_run_for_test(instance, job_name=DBT_JOB, status=dg.DagsterRunStatus.STARTED)
    looked = instance.get_run_by_id

    def look_once_before_the_end(run_id: str) -> dg.DagsterRun | None:
        instance.get_run_by_id = looked  # type: ignore[method-assign]
        found = looked(run_id)
        instance.report_run_canceled(run)
        return found

    instance.get_run_by_id = look_once_before_the_end  # type: ignore[method-assign]
    asked(tick(instance))


def test_a_look_waits_no_longer_than_it_may(instance: dg.DagsterInstance) -> None:
    run, clock = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED), ManualClock()
    assert not ends_soon(instance, run, clock, 4.5)
    assert clock.elapsed == pytest.approx(4.5, abs=0.2)


def test_a_backfill_of_days_holds_up_no_run_of_the_marts(instance: dg.DagsterInstance, clickhouse: Client) -> None:
    clickhouse.command(INSERT, parameters={"offset": 0})
    for key in (ARCHIVE_KEY, LANDED_DAYS_KEY):
        create_run_for_test(
            instance, job_name="__ASSET_JOB", status=dg.DagsterRunStatus.STARTED, asset_selection=frozenset({key})
        )
    asked(tick(instance))


def test_a_failed_run_is_asked_for_again_after_a_minute(instance: dg.DagsterInstance, clickhouse: Client) -> None:
    clickhouse.command(INSERT, parameters={"offset": 0})
    _, cursor = asked(tick(instance))
    create_run_for_test(instance, job_name=DBT_JOB, status=dg.DagsterRunStatus.FAILURE)
    assert "trying again within a minute" in skip(tick(instance, cursor))
    minute_ago = Cursor(json.loads(cursor)["position"], 1, time.time() - 61).write()
    request, _ = asked(tick(instance, minute_ago))
    assert request.tags["millrace/reason"] == "retry"


def test_a_wrong_password_is_a_reason(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "wrong")
    reason = skip(tick(instance))
    assert "refuses" in reason
    assert "wrong" not in reason.replace("wrong password", "")


def test_dbt_tests_are_asked_for_once_after_a_build(instance: dg.DagsterInstance) -> None:
    assert "not been built yet" in skip(dbt_tests(dg.build_sensor_context(instance)))
    create_run_for_test(instance, job_name=DBT_JOB, status=dg.DagsterRunStatus.SUCCESS)
    assert "job analyses has not succeeded yet" in skip(dbt_tests(dg.build_sensor_context(instance)))
    create_run_for_test(instance, job_name=ANALYSES_JOB, status=dg.DagsterRunStatus.SUCCESS)
    _, cursor = asked(dbt_tests(dg.build_sensor_context(instance)))
    assert "since the last tests" in skip(dbt_tests(dg.build_sensor_context(instance, cursor=cursor)))


def test_only_old_runs_are_deleted(instance: dg.DagsterInstance) -> None:
    create_run_for_test(instance, job_name=DBT_JOB, status=dg.DagsterRunStatus.SUCCESS)
    assert "No run is old enough" in skip(old_runs(dg.build_sensor_context(instance)))
    assert instance.get_runs_count() == 1


def test_a_rewind_asks_for_the_marts_although_no_offset_is_newer(
    instance: dg.DagsterInstance, clickhouse: Client
) -> None:
    clickhouse.command(INSERT, parameters={"offset": 0})
    _, cursor = asked(tick(instance))
    assert "No new rows" in skip(tick(instance, cursor))
    clickhouse.command("INSERT INTO raw.rewinds (run, kafka_topic, first_offset, is_done) VALUES ('r', 't', 0, true)")
    asked(tick(instance, cursor))
