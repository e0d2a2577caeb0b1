"""Pacing for librdkafka's built-in broker, which keeps about 5 MB a partition and drops the oldest.

The producer keeps what the workers have not committed yet well under that, by reading the group's
committed offsets. With a real broker there is nothing to pace: Kafka keeps what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from contracts.clock import Clock
from contracts.settings import Settings
from streaming.kafka.client import common_config
from streaming.kafka.topics import mapped_errors

# A partition's unread bytes at most: less than half of what the broker keeps, as keys are uneven.
ROOM: Final = 2_000_000
# Messages sent between two looks at the offsets. All of them could land in one partition.
CHUNK: Final = 1_000
_SAY_AFTER: Final = 3.0
_LOOK_EVERY: Final = 0.05


class MemoryPacer:
    """Waits while the unread bytes would not fit into the built-in broker.

    Args:
        settings: the broker, the topic and the workers' group.
        clock: for waiting and for when to speak.
        say: told in one sentence when the wait is long.
        stopped: asked while waiting, so that a stop need not wait for the workers.
    """

    chunk = CHUNK

    def __init__(
        self, settings: Settings, clock: Clock, say: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        self._group, self._topic = settings.kafka_group_id, settings.produced_topic
        # It only asks for the group's offsets; it never subscribes, so it takes no partition.
        config = common_config(settings) | {"group.id": self._group, "enable.auto.commit": False}
        self._consumer = Consumer(config)
        self._timeout = settings.kafka_consumer_timeout_ms / 1000
        self._clock, self._say, self._stopped = clock, say, stopped
        self._bytes = self._messages = 0

    def wait(self, messages: int, size: int) -> bool:
        """Return True when so many messages of `size` bytes in all fit, False when stopped before.

        Everything sent before must have been confirmed by the broker.

        Raises:
            RetryLater: the broker cannot be reached.
        """
        began, said = self._clock.monotonic(), False
        while self._fullest() + size > ROOM:
            if self._stopped():
                return False
            if not said and self._clock.monotonic() - began >= _SAY_AFTER:
                self._say(f"waiting for the ingest workers (group {self._group}): the built-in broker is full")
                said = True
            self._clock.sleep(_LOOK_EVERY)
        self._bytes += size
        self._messages += messages
        return True

    def _fullest(self) -> float:
        """Return the fullest partition's uncommitted bytes, by the size of an average message."""
        if self._messages == 0:
            return 0.0
        with mapped_errors("committed offsets"):
            partitions = self._consumer.list_topics(self._topic, timeout=self._timeout).topics[self._topic].partitions
            asked = [TopicPartition(self._topic, number) for number in partitions]
            committed = self._consumer.committed(asked, timeout=self._timeout)
            ends = [self._consumer.get_watermark_offsets(each, timeout=self._timeout)[1] for each in asked]
        # Without a commit (a negative offset) nothing has been read.
        unread = [end - max(done.offset, 0) for done, end in zip(committed, ends, strict=True)]
        return max(unread) * self._bytes / self._messages
