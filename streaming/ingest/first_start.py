"""Where a partition begins of which ClickHouse holds nothing, when `KAFKA_START` is latest.

The end of a partition moves. A worker that looks it up, and is gone before its first row has landed, would skip at
its next start what came in between. So the first look is remembered as the group's committed offset, before
anything is read; from then on it is the start until ClickHouse holds a row.
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import Consumer, TopicPartition

from contracts.errors import RetryLater
from streaming.ingest.records import Partition
from streaming.kafka.topics import mapped_errors

_SECONDS: Final = 5.0


def remembered_start(consumer: Consumer, partition: Partition, watermarks: tuple[int, int]) -> int:
    """Return the group's start of `partition`, setting it to the end when there is none.

    Args:
        consumer: of the group.
        partition: one of which ClickHouse holds nothing.
        watermarks: the first offset the broker has, and one past the last.

    Raises:
        RetryLater: the broker did not answer; nothing may be read before it has.
        Permanent: the broker refuses to keep offsets for this group.
    """
    low, high = watermarks
    place = TopicPartition(*partition)
    with mapped_errors(f"reading the group's offset of {partition}"):
        known = int(consumer.committed([place], timeout=_SECONDS)[0].offset)
    if known > high:
        return low  # the topic was made anew: all of it came after the first start
    if known >= 0:
        return max(low, known)
    with mapped_errors(f"keeping the first offset of {partition}"):
        kept = consumer.commit(offsets=[TopicPartition(*partition, high)], asynchronous=False)
    if not kept or kept[0].error is not None:
        raise RetryLater(f"Kafka: the first offset of {partition} was not kept")
    return high
