"""Where to resume: the ledger of offsets that ClickHouse holds, never Kafka's committed offset.

The mark of a partition is the highest offset in `raw.events`, rows that left for the archive included. Everything up
to it is done: inserts are atomic, in order within a partition, and each batch's dead letters land before its events.
Above the mark there may be dead letters of a batch whose events never landed; they are returned as ranges so that
reading those offsets again writes the events without doubling the letters.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent
from contracts.names import ARCHIVED_OFFSETS, RAW_DEAD_LETTERS, RAW_EVENTS
from streaming.ingest.records import Partition, Ranges

log = logging.getLogger("millrace.ingest")

# The projection of raw.events answers this from a few rows a part, whatever the table's size. What was archived had
# landed, wherever it is now: without it, a partition whose days have all left would begin anew.
_MARKS: Final = f"""
SELECT kafka_partition, max(mark) FROM
(
    SELECT kafka_partition, max(kafka_offset) AS mark FROM {RAW_EVENTS}
    WHERE kafka_topic = {{topic:String}} GROUP BY kafka_partition
    UNION ALL
    SELECT kafka_partition, last_offset FROM {ARCHIVED_OFFSETS}
    WHERE kafka_topic = {{topic:String}} AND table_name = '{RAW_EVENTS}'
)
GROUP BY kafka_partition"""  # noqa: S608 - constant names

# A run of offsets has one difference between the offset and its place in the order: one row a run.
_LETTERS: Final = f"""
SELECT kafka_partition, min(kafka_offset), max(kafka_offset) FROM
(
    SELECT kafka_partition, kafka_offset,
        kafka_offset - row_number() OVER (PARTITION BY kafka_partition ORDER BY kafka_offset) AS run
    FROM
    (
        SELECT DISTINCT kafka_partition, kafka_offset FROM {RAW_DEAD_LETTERS}
        WHERE kafka_topic = {{topic:String}} AND has({{partitions:Array(UInt32)}}, kafka_partition)
            AND kafka_offset >= {{next:Array(UInt64)}}[indexOf({{partitions:Array(UInt32)}}, kafka_partition)]
    )
)
GROUP BY kafka_partition, run"""  # noqa: S608 - constant names


@dataclass(frozen=True)
class Resume:
    """Where a partition goes on.

    Args:
        next_offset: the first offset that is not done; None when ClickHouse holds nothing of it.
        letters: offsets at or above it that are in the dead letters already.
    """

    next_offset: int | None = None
    letters: Ranges = field(default_factory=Ranges)

    @property
    def end(self) -> int:
        """One past the highest offset known to ClickHouse, 0 when there is none."""
        return max(self.next_offset or 0, self.letters.last + 1)


def start_offset(partition: Partition, resume: Resume, watermarks: tuple[int, int]) -> int:
    """Return the offset to read `partition` from.

    Args:
        partition: for the messages.
        resume: what ClickHouse holds of it.
        watermarks: the first offset the broker has, and one past the last.

    Raises:
        Permanent: ClickHouse holds offsets the broker never gave out.
    """
    low, high = watermarks
    if resume.end > high:
        raise Permanent(
            f"{partition}: ClickHouse holds offsets up to {resume.end - 1}, but the topic ends at {high}: "
            "it was deleted and created anew; read it under a name of its own (KAFKA_TOPIC), "
            "or move the old topic's rows out of raw.events and raw.dead_letters"
        )
    if resume.next_offset is None:
        return low
    if resume.next_offset < low:
        log.error(
            "%s: offsets %d to %d are lost: Kafka deleted them before they were read (topic retention)",
            partition,
            resume.next_offset,
            low - 1,
        )
    return max(low, resume.next_offset)


class Ledger:
    """Reads the offsets that are in ClickHouse; needs no right but SELECT on the three offset columns.

    Args:
        client: returns the connected client, connecting first when there is none.
    """

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client

    def check(self) -> None:
        """Return when both tables can be read.

        Raises:
            RetryLater: ClickHouse is away or busy.
            Permanent: a table is missing or the user may not read it.
        """
        with mapped_errors():
            for table in (RAW_EVENTS, RAW_DEAD_LETTERS):
                self._client().query(f"SELECT kafka_offset FROM {table} LIMIT 0")  # noqa: S608 - constant

    def resume(self, partitions: Iterable[Partition]) -> dict[Partition, Resume]:
        """Return where each partition goes on.

        Raises:
            RetryLater, Permanent: as `check`.
        """
        found: dict[Partition, Resume] = {}
        with mapped_errors():
            for topic, group in groupby(sorted(partitions), key=lambda partition: partition.topic):
                found |= self._topic(topic, [partition.number for partition in group])
        return found

    def _topic(self, topic: str, numbers: list[int]) -> dict[Partition, Resume]:
        client = self._client()
        rows = client.query(_MARKS, parameters={"topic": topic}).result_rows
        marks: dict[int, int] = {row[0]: row[1] for row in rows}
        following = [marks[number] + 1 if number in marks else 0 for number in numbers]
        parameters = {"topic": topic, "partitions": numbers, "next": following}
        runs: dict[int, list[tuple[int, int]]] = {}
        for number, first, last in client.query(_LETTERS, parameters=parameters).result_rows:
            runs.setdefault(number, []).append((first, last))
        return {
            Partition(topic, number): Resume(
                marks[number] + 1 if number in marks else None, Ranges(runs.get(number, ()))
            )
            for number in numbers
        }
