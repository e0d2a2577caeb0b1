"""The topics and the raw tables are live in the lineage, as far as their servers answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, Producer

from contracts.settings import Settings
from local.ports import free_ports
from orchestration.resources.clickhouse import ClickHouse
from orchestration.sensors.observations import observations
from streaming.kafka.client import consumer_config
from streaming.kafka.topics import ensure_topic
from tests.patience import WAIT_SECONDS

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]

INSERT = (
    "INSERT INTO raw.events (event_id, event_type, event_time, user_id, kafka_topic, kafka_offset, ingested_at)"
    " SELECT generateUUIDv4(), 'click', '2026-01-02 03:04:05', 'u', {topic:String}, number, now64(3) FROM numbers(3)"
)


@pytest.fixture
def settings(make_settings: Callable[..., Settings], clickhouse: Client, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A topic of one partition with five messages, of which three have landed."""
    settings = make_settings(kafka_partitions=1)
    monkeypatch.setenv("KAFKA_CONSUMER_TIMEOUT_MS", "5000")
    for name in ("kafka_broker_url", "kafka_topic", "kafka_group_id", "clickhouse_host", "clickhouse_port"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    ensure_topic(settings)
    producer = Producer({"bootstrap.servers": settings.kafka_broker_url})
    for _ in range(5):
        producer.produce(settings.kafka_topic, b"{}", timestamp=1_767_323_045_000)
    producer.flush(20)
    clickhouse.command(INSERT, parameters={"topic": settings.kafka_topic})
    return settings


def tick(cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance:
        return observations(dg.build_sensor_context(instance, cursor=cursor), clickhouse=ClickHouse())


def recorded(answer: dg.SensorResult | dg.SkipReason) -> dict[str, dict[str, object]]:
    assert isinstance(answer, dg.SensorResult), answer
    return {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.metadata.items()}
        for event in answer.asset_events
    }


@pytest.fixture
def worker(settings: Settings) -> Iterator[Consumer]:
    consumer = Consumer(consumer_config(settings) | {"client.id": "millrace-ingest-7"})
    consumer.subscribe([settings.kafka_topic])
    deadline = time.monotonic() + WAIT_SECONDS
    while not consumer.assignment() and time.monotonic() < deadline:
        consumer.poll(0.1)
    assert consumer.assignment()
    yield consumer
    consumer.close()


def test_a_tick_says_lag_newest_event_and_living_workers(settings: Settings, worker: Consumer) -> None:
    found = recorded(tick())
    topic, events = found[f"kafka/{settings.kafka_topic}"], found["raw/events"]
    assert (topic["lag"], topic["partitions"], topic["workers"]) == (2, 1, 1)
    assert topic["newest_event_at"] == 1_767_323_045
    assert "| ingest-7 | 127.0.0.1 | 1 |" in topic["living_workers"]
    assert (events["lag"], events["dagster/row_count"]) == (2, 3)
    assert events["newest_event_at"] == 1_767_323_045
    assert found["raw/dead_letters"]["dagster/row_count"] == 0


def test_two_ticks_make_a_rate(settings: Settings, clickhouse: Client) -> None:
    first = tick()
    assert "rows_per_second" not in recorded(first)["raw/events"]
    clickhouse.command(INSERT, parameters={"topic": settings.kafka_topic})
    assert recorded(tick(first.cursor))["raw/events"]["rows_per_second"] > 0
    assert "rows_per_second" not in recorded(tick("not a cursor"))["raw/events"]


def test_without_kafka_the_tables_are_observed_and_the_tick_says_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nobody,) = free_ports(1)
    monkeypatch.setenv("KAFKA_BROKER_URL", f"127.0.0.1:{nobody}")
    monkeypatch.setenv("KAFKA_CONSUMER_TIMEOUT_MS", "300")
    answer = tick()
    assert set(recorded(answer)) == {"raw/events", "raw/dead_letters"}
    assert "lag" not in recorded(answer)["raw/events"]
    assert f"Kafka at 127.0.0.1:{nobody}" in answer.skip_reason.skip_message


def test_without_clickhouse_the_topic_is_observed_and_without_both_the_tick_skips(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody, nobody_else = free_ports(2)
    monkeypatch.setenv("CLICKHOUSE_PORT", str(nobody))
    answer = tick()
    assert set(recorded(answer)) == {f"kafka/{settings.kafka_topic}"}
    assert "ClickHouse" in answer.skip_reason.skip_message
    monkeypatch.setenv("KAFKA_BROKER_URL", f"127.0.0.1:{nobody_else}")
    monkeypatch.setenv("KAFKA_CONSUMER_TIMEOUT_MS", "300")
    skip = tick()
    assert isinstance(skip, dg.SkipReason)
    assert "ClickHouse" in skip.skip_message
    assert "Kafka" in skip.skip_message
