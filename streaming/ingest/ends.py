"""How far partitions reach, for the lag: as fetches tell it, or asked for while nothing is fetched."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streaming.ingest.records import Partition

_ANSWER_SECONDS: Final = 0.5
# An answer takes milliseconds; asking for hundreds at once would keep the loop from its next turn.
_ASKED_AT_ONCE: Final = 8


class Ends:
    """The partitions' ends, one past their last offset.

    Args:
        consumer: fetches the partitions.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        # In the order in which they were asked for.
        self._asked: dict[Partition, int] = {}

    def of(self, partition: Partition) -> int | None:
        """Return the end as far as it is known, without asking anybody."""
        marks = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        end = max(marks[1] if marks else -1, self._asked.get(partition, -1))
        return end if end >= 0 else None

    def ask(self, partitions: Set[Partition]) -> None:
        """Ask the broker for some of the ends, first those that were not asked for yet or longest ago."""
        self._asked = {place: end for place, end in self._asked.items() if place in partitions}
        for place in [*(partitions - self._asked.keys()), *self._asked][:_ASKED_AT_ONCE]:
            try:
                marks = self._consumer.get_watermark_offsets(TopicPartition(*place), _ANSWER_SECONDS)
            except KafkaException:
                return
            self._asked.pop(place, None)
            self._asked[place] = marks[1] if marks else -1
