"""A worker does the same on a real Kafka and on librdkafka's built-in broker."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from contracts.clock import SystemClock
from contracts.errors import Permanent
from contracts.settings import Settings
from streaming.rewind.rewind import RewindOptions, rewind
from streaming.rewind.target import Target
from tests.integration.ingest_tools import PARTITIONS, good, in_both, ingest_all, make_topic, produce

pytestmark = pytest.mark.clickhouse


@pytest.fixture(scope="module")
def memory_broker() -> Iterator[str]:
    """librdkafka's own broker; it lives as long as the client that holds it."""
    holder = Producer({"bootstrap.servers": "ignored:1", "test.mock.num.brokers": 1, "log_level": 0})
    nodes = holder.list_topics(timeout=10).brokers.values()
    yield next(f"{node.host}:{node.port}" for node in nodes)
    holder.flush(1)


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.kafka)])
def settings(request: pytest.FixtureRequest, clickhouse_server: Settings) -> Settings:
    """Settings for a topic of this test's own on either broker, created with known partitions."""
    broker = request.getfixturevalue("memory_broker" if request.param == "memory" else "kafka_server")
    own = request.node.name.replace("[", "-").rstrip("]")[-60:]
    changes = {
        "millrace_home": request.getfixturevalue("tmp_path"),
        "kafka": request.param,
        "kafka_broker_url": broker,
        "kafka_topic": own,
        "kafka_group_id": own,
        "kafka_flush_interval": 0.2,
    }
    made = clickhouse_server.model_copy(update=changes)
    make_topic(made)
    return made


def test_good_and_bad_events_land_exactly_once(clickhouse: Client, settings: Settings) -> None:
    sent = produce(settings, [*good(300), b"bad", None, b"[]", *good(5)])
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sent


def test_a_worker_resumes_from_clickhouse_and_not_from_the_committed_offset(
    clickhouse: Client, settings: Settings
) -> None:
    sent = produce(settings, [*good(50), b"bad"])
    ingest_all(settings)
    clickhouse.command("TRUNCATE TABLE raw.events")
    clickhouse.command("TRUNCATE TABLE raw.dead_letters")
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sent


def test_an_empty_topic_is_no_reason_to_fail(clickhouse: Client, settings: Settings) -> None:
    ingest_all(settings)
    assert in_both(clickhouse, settings) == []


def test_a_gap_that_retention_made_is_reported_and_the_rest_lands(
    clickhouse: Client, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = produce(settings, good(40))
    low = 4
    monkeypatch.setattr("streaming.ingest.source.Source._watermarks", lambda *_: (low, 10))
    clickhouse.command(
        f"INSERT INTO raw.events (kafka_topic, kafka_partition, kafka_offset) VALUES ('{settings.kafka_topic}', 0, 1)"
    )
    with caplog.at_level(logging.ERROR):
        ingest_all(settings)
    assert f"{settings.kafka_topic}:0: offsets 2 to 3 are lost" in caplog.text
    assert in_both(clickhouse, settings) == sorted([(0, 1), *((p, o) for p, o in sent if o >= low)])


def test_rows_beyond_the_topics_end_are_refused(clickhouse: Client, settings: Settings) -> None:
    produce(settings, good(PARTITIONS))
    clickhouse.command(
        f"INSERT INTO raw.dead_letters (kafka_topic, kafka_partition, kafka_offset) "
        f"VALUES ('{settings.kafka_topic}', 2, 7)"
    )
    with pytest.raises(Permanent, match=":2: ClickHouse holds offsets up to 7"):
        ingest_all(settings)


def test_a_list_with_a_pattern_is_read_by_one_worker(clickhouse: Client, settings: Settings) -> None:
    other = settings.model_copy(update={"kafka_topic": f"{settings.kafka_topic[-40:]}-more"})
    make_topic(other)
    sent = [produce(topic, [*good(8), b"bad"]) for topic in (settings, other)]
    both = f"{settings.kafka_topic},^{other.kafka_topic[:-1]}.$"
    ingest_all(settings.model_copy(update={"kafka_topic": both}))
    assert [in_both(clickhouse, topic) for topic in (settings, other)] == sent


def test_latest_begins_at_the_end_that_the_first_start_saw(clickhouse: Client, settings: Settings) -> None:
    latest = settings.model_copy(update={"kafka_start": "latest"})
    before = produce(settings, good(12))
    ingest_all(latest)
    sent = produce(settings, good(12))
    ingest_all(latest)
    assert in_both(clickhouse, settings) == [place for place in sent if place not in before]
    assert len(sent) == 12


def test_a_rewind_writes_what_is_missing_and_nothing_twice(clickhouse: Client, settings: Settings) -> None:
    sent = produce(settings, [*good(40), b"bad", *good(3)])
    ingest_all(settings)
    where = "kafka_partition = 1 AND kafka_offset BETWEEN 1 AND 5"
    clickhouse.command(f"ALTER TABLE raw.events DELETE WHERE {where}", settings={"mutations_sync": 2})
    assert len(in_both(clickhouse, settings)) == len(sent) - 5
    for _ in range(2):
        rewind(settings, clickhouse, Target(offset=1, partition=1), RewindOptions(SystemClock()))
        assert in_both(clickhouse, settings) == sent
