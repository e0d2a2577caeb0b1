"""The events: the simulator's own, put into the topic once, before any clock starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from contracts.settings import Settings
from streaming.kafka.client import common_config, producer_config
from streaming.kafka.topics import ensure_topic
from streaming.produce.encode import Encoder
from streaming.produce.simulator import Timed, history, make_shop

_USERS: Final = 20_000
_ITEMS: Final = 1_000
_DAYS: Final = 3
_CHUNK: Final = 20_000
_ANSWER_SECONDS: Final = 125.0


def fill(settings: Settings, events: int, progress: Callable[[int], None] = lambda _: None) -> float:
    """Put `events` simulated events of the last three days into the topic; return their mean size in bytes.

    Raises:
        SystemExit: the topic does not hold exactly so many afterwards.
    """
    ensure_topic(settings)
    shop = make_shop(seed=1, users=_USERS, items=_ITEMS)
    encoder, producer = Encoder(shop), Producer(producer_config(settings))
    end = datetime.now(UTC) - timedelta(minutes=1)
    size = sent = 0
    for timed in history(shop, end - timedelta(days=_DAYS), end, events):
        for first in range(0, len(timed.events), _CHUNK):
            part = slice(first, first + _CHUNK)
            messages = encoder.encode(Timed(timed.events[part], timed.times[part]))
            size += sum(len(value or b"") for value in messages.values)
            _send(producer, settings.kafka_topic, messages.keys, messages.values)
            sent += len(messages)
            progress(sent)
    producer.flush(_ANSWER_SECONDS)
    held = held_by(settings)
    if held != events:
        raise SystemExit(f"the topic holds {held:,} events instead of {events:,}")
    return size / events


def held_by(settings: Settings) -> int:
    """Return how many messages the topic holds."""
    consumer = Consumer(common_config(settings) | {"group.id": "bench-count"})
    try:
        topic = settings.kafka_topic
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        marks = [consumer.get_watermark_offsets(TopicPartition(topic, number), 10) for number in partitions]
        return sum(high - low for low, high in marks)
    finally:
        consumer.close()


def _send(producer: Producer, topic: str, keys: list[bytes], values: list[bytes | None]) -> None:
    waiting = [{"key": key, "value": value} for key, value in zip(keys, values, strict=True)]
    while waiting:
        if producer.produce_batch(topic, waiting) == len(waiting):
            break
        waiting = [message for message in waiting if message.pop("_error", None) is not None]
        producer.poll(0.05)
    producer.poll(0)
