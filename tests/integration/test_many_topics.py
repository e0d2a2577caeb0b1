"""Lists, patterns and partitions that come later, and where a partition begins."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from cli.main import run
from contracts.settings import Settings
from streaming.ingest.worker import WorkerOptions
from tests.integration.ingest_tools import (
    PARTITIONS,
    good,
    in_both,
    ingest_all,
    make_topic,
    produce,
    running_worker,
    wait_until,
)

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]


def named(settings: Settings, topic: str) -> Settings:
    return settings.model_copy(update={"kafka_topic": topic})


def test_a_list_and_a_pattern_are_read_by_one_worker(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    own = settings.kafka_topic
    topics = [named(settings, f"{own}{ending}") for ending in ("-plain", "-x-1", "-x-2", "-other")]
    sent = []
    for topic in topics:
        make_topic(topic)
        sent.append(produce(topic, [*good(10), b"bad"]))
    ingest_all(named(settings, f"{own}-plain, ^{own}-x-.*"))
    assert [in_both(clickhouse, topic) for topic in topics] == [*sent[:3], []]


def test_new_topics_of_a_pattern_and_new_partitions_are_picked_up(
    clickhouse: Client, make_settings: MakeSettings
) -> None:
    settings = make_settings()
    first, second = (named(settings, f"{settings.kafka_topic}-{number}") for number in (1, 2))
    make_topic(first)
    with running_worker(named(settings, f"^{settings.kafka_topic}-.*")) as raised:
        sent = produce(first, good(PARTITIONS))
        wait_until(lambda: in_both(clickhouse, first) == sent)
        make_topic(second)
        admin = AdminClient({"bootstrap.servers": settings.kafka_broker_url})
        admin.create_partitions([NewPartitions(first.kafka_topic, PARTITIONS + 1)])[first.kafka_topic].result()
        sent_later = produce(second, good(10))
        wait_until(lambda: in_both(clickhouse, second) == sent_later)
        produce_to_partition(first, PARTITIONS)
        wait_until(lambda: (PARTITIONS, 0) in in_both(clickhouse, first))
        assert raised == []


def produce_to_partition(settings: Settings, partition: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_broker_url})
    wait_until(
        lambda: partition in producer.list_topics(settings.kafka_topic, 5).topics[settings.kafka_topic].partitions
    )
    producer.produce(settings.kafka_topic, good(1)[0], partition=partition)
    assert producer.flush(20) == 0


def test_a_pattern_that_matches_nothing_is_waited_for(
    clickhouse: Client, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings()
    pattern = named(settings, f"^{settings.kafka_topic}.*")
    with caplog.at_level(logging.WARNING), running_worker(pattern):
        wait_until(lambda: f"no topic matches {pattern.kafka_topic}" in caplog.text)
        make_topic(settings)
        sent = produce(settings, good(5))
        wait_until(lambda: in_both(clickhouse, settings) == sent)


def test_latest_begins_at_the_end_of_the_first_start(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(kafka_start="latest")
    make_topic(settings)
    before = produce(settings, good(20))
    ingest_all(settings)
    after = produce(settings, good(20))
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sorted(set(after) - set(before)) == after


def test_latest_skips_nothing_when_a_worker_dies_before_its_first_row(
    clickhouse: Client, make_settings: MakeSettings
) -> None:
    """The end was looked up at each start: what came between two starts without a row was lost."""
    settings = make_settings(kafka_start="latest")
    make_topic(settings)
    produce(settings, good(20))
    with running_worker(settings, WorkerOptions(wrap_writer=lambda _: NeverWrites())) as raised:
        wait_until(lambda: bool(committed(settings)))
        between = produce(settings, good(20))
        wait_until(lambda: bool(raised))
    assert in_both(clickhouse, settings) == []
    between += produce(settings, good(4))
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sorted(between)


class NeverWrites:
    """A worker that dies at its first write."""

    def write(self, _: object) -> None:
        raise RuntimeError("died before the first row")


def committed(settings: Settings) -> bool:
    consumer = Consumer({"bootstrap.servers": settings.kafka_broker_url, "group.id": settings.kafka_group_id})
    places = [TopicPartition(settings.kafka_topic, number) for number in range(PARTITIONS)]
    known = all(place.offset >= 0 for place in consumer.committed(places, timeout=5))
    consumer.close()
    return known


def test_what_writes_to_kafka_wants_one_topic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], make_settings: MakeSettings
) -> None:
    settings = make_settings()
    given = {"KAFKA_TOPIC": "a,b", "KAFKA_BROKER_URL": settings.kafka_broker_url}
    for name, value in (given | {"MILLRACE_HOME": str(settings.millrace_home)}).items():
        monkeypatch.setenv(name, value)
    assert run(["produce", "--count", "1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("millrace: KAFKA_TOPIC=a,b: ")
    assert len(said.splitlines()) == 1
