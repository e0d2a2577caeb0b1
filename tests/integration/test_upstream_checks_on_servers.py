"""All there and fresh, on a real ClickHouse with dbt's models and a real Kafka: the checks as Dagster calls them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from audit.standing import overdue
from contracts.settings import Settings
from local.ports import free_ports
from orchestration.checks.catalogue import CHECKS
from orchestration.checks.check_info import EVERY_MINUTE, EVERY_TEN_MINUTES
from orchestration.checks.dead_letters import dead_letter_share
from orchestration.checks.freshness import kafka_is_fresh, marts_are_fresh, raw_is_fresh
from orchestration.checks.offsets import offsets_all_landed
from orchestration.checks.repeats import repeated_events
from orchestration.checks.sales_by_hop import hops_verdict, marts_hold_what_landed, reckon
from orchestration.jobs import CHECKS_JOB, SHOP_JOB
from orchestration.resources.clickhouse import ClickHouse
from streaming.kafka.topics import ensure_topic
from tests.dbt_runs import dbt

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka, pytest.mark.slow]

SALES = """
INSERT INTO raw.events
    (event_id, event_type, event_time, user_id, item_id, price, quantity,
     kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, ingested_at)
SELECT reinterpretAsUUID(toUInt128(1 + {first:UInt64} + number % {different:UInt64})),
    'purchase', {at:DateTime64(6, 'UTC')}, 'u', 'i', 2.5, 2, {topic:String}, 0, {first:UInt64} + number,
    {landed:DateTime64(3, 'UTC')}, {landed:DateTime64(3, 'UTC')}
FROM numbers({count:UInt64})
"""
Judge = Callable[..., dg.AssetCheckResult]


def sell(client: Client, topic: str, count: int, **changes: object) -> None:
    now = datetime.now(UTC)
    values = {"at": now, "landed": now, "different": count, "first": 0, "topic": topic, "count": count}
    client.command(SALES, parameters=values | changes)


def send(settings: Settings, count: int) -> None:
    ensure_topic(settings)
    producer = Producer({"bootstrap.servers": settings.kafka_broker_url})
    for _ in range(count):
        producer.produce(settings.kafka_topic, b"{}", partition=0)
    assert producer.flush(30) == 0


@pytest.fixture
def settings(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of this test's topic, in the environment as the checks read them."""
    made = make_settings()
    for name in ("clickhouse_host", "clickhouse_port", "kafka_broker_url", "kafka_topic", "millrace_home"):
        monkeypatch.setenv(name.upper(), str(getattr(made, name)))
    return made


def test_what_is_there_once_is_complete_and_what_is_missing_or_waits_is_told(
    clickhouse: Client, settings: Settings
) -> None:
    send(settings, 30)
    sell(clickhouse, settings.kafka_topic, 20)
    whole = offsets_all_landed(ClickHouse())
    assert whole.passed
    assert whole.metadata["lag"].value == 10
    sell(clickhouse, settings.kafka_topic, 5, first=25)
    torn = offsets_all_landed(ClickHouse())
    assert not torn.passed
    assert torn.metadata["lost"].value == 5
    # The five that are missing lie below the highest that landed: only the audit sees those.
    later = datetime.now(UTC) + timedelta(hours=1)
    assert overdue(settings, {settings.kafka_topic: {0: 20}}, later, 10) == {(settings.kafka_topic, 0): 10}
    assert overdue(settings, {settings.kafka_topic: {0: 20}}, datetime.now(UTC) - timedelta(hours=1), 10) == {}
    assert raw_is_fresh(ClickHouse()).passed
    assert kafka_is_fresh(ClickHouse()).passed


def test_repeats_and_dead_letters_are_counted_by_share(clickhouse: Client, settings: Settings) -> None:
    sell(clickhouse, settings.kafka_topic, 100, different=70)
    again = repeated_events(ClickHouse())
    assert not again.passed
    assert "| purchase | 100 | 30 | 30.00% |" in again.metadata["offending"].value
    assert dead_letter_share(ClickHouse()).passed
    clickhouse.command(
        "INSERT INTO raw.dead_letters (kafka_topic, kafka_offset, error_class, error_text, ingested_at) "
        "SELECT 't', number, 'not_json', 'a | b', now64(3) FROM numbers(12)"
    )
    letters = dead_letter_share(ClickHouse())
    assert not letters.passed
    assert "| not_json | 12 | a \\| b | t |" in letters.metadata["offending"].value


def test_the_marts_hold_each_sale_once_and_a_hop_that_does_not_is_named(
    clickhouse: Client, clean_marts: None, settings: Settings, tmp_path: Path
) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    at = hour + timedelta(minutes=30)
    sell(clickhouse, settings.kafka_topic, 100, different=90, at=at, landed=at)
    dbt(settings, tmp_path, "run", "--select", "+fct_item_hourly")
    assert marts_hold_what_landed(ClickHouse()).passed
    found = reckon(clickhouse, hour)
    assert {hop.purchases for hop in (found.folded, *found.hops, found.landed)} == {90}
    assert found.hops[-1].revenue == 450
    assert marts_are_fresh(ClickHouse()).passed
    # Rows that landed long ago and were never folded in, and a sale that vanished between two hops.
    sell(clickhouse, settings.kafka_topic, 7, first=100, different=1000, at=at, landed=at)
    behind = marts_are_fresh(ClickHouse())
    assert not behind.passed
    assert "int_events has not folded in 7 rows" in behind.description
    assert hops_verdict(reckon(clickhouse, hour)).passed  # the next run will fold them in
    clickhouse.command("TRUNCATE TABLE intermediate.int_item_events")
    lost = hops_verdict(reckon(clickhouse, hour))
    assert lost.metadata["offending_items"].value == ["intermediate.int_item_events"]


@pytest.mark.parametrize("check", [offsets_all_landed, raw_is_fresh, kafka_is_fresh, repeated_events])
def test_without_a_neighbour_nothing_is_judged_and_one_line_says_so(
    check: Judge, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nobody,) = free_ports(1)
    monkeypatch.setenv("CLICKHOUSE_PORT", str(nobody))
    monkeypatch.setenv("KAFKA_BROKER_URL", f"127.0.0.1:{nobody}")
    monkeypatch.setenv("KAFKA_CONSUMER_TIMEOUT_MS", "500")
    with pytest.raises(dg.Failure, match=r"^Nothing was judged: (ClickHouse|Kafka) at ") as failure:
        check(ClickHouse())
    assert "\n" not in failure.value.description


def test_kafka_away_is_no_verdict_about_the_offsets(
    clickhouse: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(clickhouse, settings.kafka_topic, 5)
    (nobody,) = free_ports(1)
    monkeypatch.setenv("KAFKA_BROKER_URL", f"127.0.0.1:{nobody}")
    monkeypatch.setenv("KAFKA_CONSUMER_TIMEOUT_MS", "500")
    with pytest.raises(dg.Failure, match="Nothing was judged: Kafka at "):
        offsets_all_landed(ClickHouse())


def test_both_jobs_evaluate_every_check_of_theirs(
    clickhouse: Client, clean_marts: None, settings: Settings, tmp_path: Path
) -> None:
    from orchestration.definitions import defs  # noqa: PLC0415 - seconds, and reads the settings

    clickhouse.command("TRUNCATE TABLE ops.event_profiles")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    send(settings, 40)
    sell(clickhouse, settings.kafka_topic, 40, at=hour, landed=hour)
    dbt(settings, tmp_path, "run", "--select", "+fct_item_hourly", "+fct_funnel")
    evaluated: dict[str, bool] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for job in (CHECKS_JOB, SHOP_JOB):
            result = defs.resolve_job_def(job).execute_in_process(instance=instance)
            evaluated |= {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    expected = [check.name for check in CHECKS if check.runs in {EVERY_MINUTE, EVERY_TEN_MINUTES}]
    assert evaluated == dict.fromkeys(expected, True)
