"""The topic that letters came from: where its partitions end, and which replays are already in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from contracts.clock import Clock
from contracts.errors import RetryLater
from contracts.settings import Settings
from streaming.kafka.client import common_config, mapped
from streaming.kafka.topics import mapped_errors
from streaming.letters.filters import Place

# Names the letter that a message replays, as topic:partition:offset.
ORIGIN_HEADER: Final = "millrace-replay-of"
_POLL_MESSAGES: Final = 1_000
# A poll for so many messages lasts so long where fewer are left.
_POLL_SECONDS: Final = 0.1
_SILENCE_SECONDS: Final = 30.0


class TopicReader:
    """Reads topics without joining a group or committing anything.

    Args:
        settings: the broker.
        clock: for the longest silence of the broker.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._timeout = settings.kafka_consumer_timeout_ms / 1000
        self._clock = clock
        config = common_config(settings) | {
            # Required by the library; partitions are assigned by hand, so the group never comes to exist.
            "group.id": "millrace-dead-letters",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            # Bounds memory; the search keeps nothing of what it reads.
            "queued.max.messages.kbytes": 16_384,
        }
        with mapped_errors("reading"):
            self._consumer = Consumer(config)

    def reach(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the partition's first offset and the one past its last.

        Raises:
            RetryLater: the broker is away, or does not know the partition.
            Permanent: it refuses us.
        """
        with mapped_errors(f"reading the offsets of {topic}:{partition}"):
            marks = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), self._timeout)
        if marks is None:
            raise RetryLater(f"Kafka: the offsets of {topic}:{partition} did not come in time")
        return int(marks[0]), int(marks[1])

    def find(self, topic: str, starts: Mapping[int, int], wanted: Collection[Place]) -> dict[Place, Place]:
        """Return where replays of these letters lie, read up to where the partitions end now.

        Args:
            topic: theirs.
            starts: the offset to read each partition from.
            wanted: the letters.

        Raises:
            RetryLater, Permanent: as `reach`.
        """
        ends = {partition: self.reach(topic, partition)[1] for partition in starts}
        left = {partition for partition, start in starts.items() if start < ends[partition]}
        names = {str(place): place for place in wanted}
        found: dict[Place, Place] = {}
        with mapped_errors(f"reading {topic}"):
            self._consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in left])
            heard = self._clock.monotonic()
            while left and len(found) < len(names):
                messages = self._consumer.consume(_POLL_MESSAGES, _POLL_SECONDS)
                heard = self._clock.monotonic() if messages else heard
                if self._clock.monotonic() - heard > _SILENCE_SECONDS:
                    raise RetryLater(f"Kafka: reading {topic}: nothing came for {_SILENCE_SECONDS:g} s")
                for message in messages:
                    left -= _finished(message, ends)
                    if origin := names.get(_origin(message) or ""):
                        found.setdefault(origin, _place(message))
            self._consumer.unassign()
        return found

    def close(self) -> None:
        """Give the connections back."""
        self._consumer.close()


def _finished(message: Any, ends: Mapping[int, int]) -> set[int]:
    """Return the message's partition when it needs no more reading."""
    error = message.error()
    if error is None:
        done = message.offset() + 1 >= ends[message.partition()]
    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes have no public alias
        done = True
    else:
        raise mapped(error, "reading")
    return {message.partition()} if done else set()


def _place(message: Any) -> Place:
    return Place(message.topic(), message.partition(), message.offset())


def _origin(message: Any) -> str | None:
    """Return what the message says that it replays; of several such headers the last one is its own."""
    headers: Sequence[tuple[str, bytes | None]] = (message.headers() or []) if message.error() is None else []
    values = [value for name, value in headers if name == ORIGIN_HEADER]
    return values[-1].decode("ascii", "replace") if values and values[-1] else None
