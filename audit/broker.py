"""What the audit asks Kafka: where partitions begin and end, and whether a message lies in a gap."""

from __future__ import annotations

import logging
from collections import deque
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

from confluent_kafka import Consumer, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined] # public, not exported

from contracts.clock import Clock, SystemClock
from contracts.errors import RetryLater
from contracts.settings import Settings
from streaming.kafka.client import admin_config, common_config, mapped
from streaming.kafka.topics import mapped_errors

_SPEC: Any = _OffsetSpec  # its methods carry no types
# Reading on over so many offsets costs less than a jump.
_NEAR: Final = 5_000
_READ_AT_ONCE: Final = 500


class Bounds(NamedTuple):
    """The broker's first offset, and one past the last that a reader of committed messages gets."""

    low: int
    end: int


class Broker(Protocol):
    """What an audit needs of Kafka."""

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Return the bounds of each partition; none when there is no such topic."""

    def first_message(self, topic: str, partition: int, offset: int) -> int | None:
        """Return the offset of the first message at or after `offset`, None when there is none.

        Messages of aborted transactions and markers of transactions are not messages.
        """


class KafkaBroker:
    """The real thing. It joins no group and commits nothing.

    Args:
        settings: where the broker is.
        clock: for the longest wait, KAFKA_CONSUMER_TIMEOUT_MS.

    Every method raises RetryLater when the broker does not answer, and Permanent when it refuses.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._seconds = settings.kafka_consumer_timeout_ms / 1000
        quiet = {"logger": logging.getLogger("millrace.kafka")}
        self._admin = AdminClient(admin_config(settings), **quiet)
        self._consumer = Consumer(_consumer_config(settings), **quiet)
        self._place: tuple[str, int] | None = None
        self._ahead: deque[int] = deque()
        self._next = 0
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """See `Broker`."""
        self._place = None  # a new audit: what was read ahead for the last one is old
        with mapped_errors(f"offsets of {topic}"):
            found = self._admin.list_topics(timeout=self._seconds).topics.get(topic)
            if found is None or found.error is not None:
                return {}
            lows = self._offsets(topic, list(found.partitions), _SPEC.earliest())
            ends = self._offsets(topic, list(found.partitions), _SPEC.latest())
        return {number: Bounds(lows[number], ends[number]) for number in sorted(found.partitions)}

    def first_message(self, topic: str, partition: int, offset: int) -> int | None:
        """See `Broker`; asking in the order of the offsets is cheapest."""
        doing = f"reading {topic}:{partition} at {offset}"
        with mapped_errors(doing):
            if self._place != (topic, partition) or self._ended or not 0 <= offset - self._first_ahead() <= _NEAR:
                self._jump(topic, partition, offset)
            deadline = self._clock.monotonic() + self._seconds
            while True:
                while self._ahead and self._ahead[0] < offset:
                    self._ahead.popleft()
                if self._ahead:
                    return self._ahead[0]
                if self._ended:
                    return None
                if self._clock.monotonic() >= deadline:
                    raise RetryLater(f"Kafka: {doing}: no answer within {self._seconds:g} s")
                self._read(doing)

    def _first_ahead(self) -> int:
        return self._ahead[0] if self._ahead else self._next

    def _jump(self, topic: str, partition: int, offset: int) -> None:
        self._place, self._next, self._ended = (topic, partition), offset, False
        self._ahead.clear()
        self._consumer.assign([TopicPartition(topic, partition, offset)])

    def _read(self, doing: str) -> None:
        for message in self._consumer.consume(_READ_AT_ONCE, 0.05):
            error, offset = message.error(), message.offset()
            if error is None and offset is not None:
                self._ahead.append(offset)
                self._next = offset + 1
            elif error is None:
                continue
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes have no public alias
                self._ended = True
            elif error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - it may come back in time
                raise mapped(error, doing)

    def _offsets(self, topic: str, numbers: list[int], which: Any) -> dict[int, int]:
        # Above the last stable offset lie transactions that are still open: nobody can have read them.
        answers = self._admin.list_offsets(
            {TopicPartition(topic, number): which for number in numbers},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=self._seconds,
        )
        return {place.partition: answer.result().offset for place, answer in answers.items()}


def _consumer_config(settings: Settings) -> dict[str, object]:
    return common_config(settings) | {
        "client.id": "millrace-audit",
        # librdkafka wants a name; with assigned partitions and no commits the broker never hears of it.
        "group.id": f"{settings.kafka_group_id}-audit",
        "enable.auto.commit": False,
        # The workers read so, and a gap that an aborted transaction left is none of theirs.
        "isolation.level": "read_committed",
        # The end of a partition can lie behind the last message, where transactions have their markers.
        "enable.partition.eof": True,
        # An offset that was just deleted: the next message is beyond the gap, and the low bound is asked again.
        "auto.offset.reset": "earliest",
        # One message decides, so that little is fetched ahead.
        "fetch.message.max.bytes": 65_536,
        "queued.max.messages.kbytes": 1_024,
        "fetch.wait.max.ms": 20,
    }
