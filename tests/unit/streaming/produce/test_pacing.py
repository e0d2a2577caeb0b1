from __future__ import annotations

from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from contracts.clock import ManualClock
from contracts.settings import Settings
from streaming.kafka.client import consumer_config
from streaming.produce.messages import Messages
from streaming.produce.pacing import ROOM, MemoryPacer
from streaming.produce.producer import EventProducer
from streaming.produce.simulator import Shop
from tests.unit.streaming.produce.shops import encoded


def commit_all(settings: Settings) -> None:
    """Do as the workers do once rows are durable: commit what has been read."""
    consumer = Consumer(consumer_config(settings))
    partitions = [TopicPartition(settings.kafka_topic, number) for number in range(4)]
    ends = [consumer.get_watermark_offsets(each, timeout=10)[1] for each in partitions]
    committed = [TopicPartition(settings.kafka_topic, n, end) for n, end in enumerate(ends)]
    consumer.commit(offsets=committed, asynchronous=False)
    consumer.close()


def test_the_producer_waits_for_the_workers_and_loses_nothing(settings: Settings, shop: Shop, tmp_path: Path) -> None:
    said: list[str] = []

    def work(sentence: str) -> None:
        said.append(sentence)
        commit_all(settings)

    pacer = MemoryPacer(settings, ManualClock(), work, lambda: False)
    producer = EventProducer(settings, tmp_path, ManualClock(), pacer)
    messages = encoded(shop, 60_000)
    producer.send(messages)
    producer.close()
    assert producer.summary.delivered == len(messages)
    assert len(said) >= 2
    assert settings.kafka_group_id in said[0]


def test_unread_bytes_stay_under_what_the_broker_keeps(settings: Settings, shop: Shop, tmp_path: Path) -> None:
    stop = iter([False] * 3)
    pacer = MemoryPacer(settings, ManualClock(), lambda _: None, lambda: next(stop, True))
    producer = EventProducer(settings, tmp_path, ManualClock(), pacer)
    producer.send(one_user(encoded(shop, 20_000)))
    producer.close()
    sent = producer.summary.delivered
    assert 1_000 <= sent < 20_000
    assert sent * 450 < 1.1 * ROOM


def one_user(messages: Messages) -> Messages:
    """The worst case: everything goes to one partition."""
    return Messages(messages.record, [b"same"] * len(messages), messages.values)
