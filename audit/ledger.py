"""The cheap part: what both raw tables hold of a topic, in a few rows a partition, with what left them for the archive.

raw.events is read first, through its projection `by_day`: a row a partition and landing day. Dead letters of
a batch are written before its events, so that by then all letters up to each partition's mark are visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from audit.archived import ArchivedSpan, read_archived
from audit.report import OffsetRange
from audit.sums import NO_OFFSETS, Sums, sums_of_range
from contracts.clickhouse import mapped_errors
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS

_SUMS: Final = "count(), sum(kafka_offset), sum(kafka_offset * kafka_offset)"
EVENTS: Final = f"""
SELECT kafka_partition, min(kafka_offset), max(kafka_offset), {_SUMS}
FROM {RAW_EVENTS} WHERE kafka_topic = {{topic:String}} GROUP BY kafka_partition"""  # noqa: S608 - constant names

_NUMBERS = "{partitions:Array(UInt32)}"
_LETTERS: Final = f"""
SELECT kafka_partition, min(kafka_offset), {_SUMS}
FROM {RAW_DEAD_LETTERS} WHERE kafka_topic = {{topic:String}}
    AND has({_NUMBERS}, kafka_partition)
    AND kafka_offset <= {{marks:Array(UInt64)}}[indexOf({_NUMBERS}, kafka_partition)]
GROUP BY kafka_partition"""  # noqa: S608 - constant names

# Letters above the marks: of the batch in hand, or at the end of the topic. A run has one difference between the
# offset and its place in the order; offsets that are there twice make runs of their own.
_TAIL: Final = f"""
SELECT kafka_partition, min(kafka_offset) AS first, max(kafka_offset), doubled FROM
(
    SELECT kafka_partition, kafka_offset, count() > 1 AS doubled,
        kafka_offset - row_number() OVER (PARTITION BY kafka_partition, doubled ORDER BY kafka_offset) AS run
    FROM {RAW_DEAD_LETTERS}
    WHERE kafka_topic = {{topic:String}} AND (NOT has({_NUMBERS}, kafka_partition)
        OR kafka_offset > {{marks:Array(UInt64)}}[indexOf({_NUMBERS}, kafka_partition)])
    GROUP BY kafka_partition, kafka_offset
)
GROUP BY kafka_partition, doubled, run ORDER BY kafka_partition, first"""  # noqa: S608 - constant names


@dataclass(frozen=True)
class Run:
    """Neighbouring offsets above the mark in the dead letters, and whether they are there more than once."""

    offsets: OffsetRange
    doubled: bool


@dataclass
class Holdings:
    """What ClickHouse holds of one partition.

    Args:
        first: the lowest offset of either table, as far as it is judged; None when there is no event.
        mark: the highest offset in raw.events; None when there is none.
        events, letters: fingerprints of the rows up to the mark.
        tail: dead letters above the mark, in order.
        archived: what of all this is in the archive only.
    """

    first: int | None = None
    mark: int | None = None
    events: Sums = NO_OFFSETS
    letters: Sums = NO_OFFSETS
    tail: tuple[Run, ...] = ()
    archived: tuple[ArchivedSpan, ...] = ()

    def is_contiguous(self, legal: Sums) -> bool:
        """Tell whether each offset from first to mark is there once, in either table or among the `legal` gaps."""
        if self.first is None or self.mark is None:
            return True
        return self.events.plus(self.letters).plus(legal) == sums_of_range(self.first, self.mark)


def read_holdings(client: Client, topic: str) -> dict[int, Holdings]:
    """Return what ClickHouse holds, by partition.

    Raises:
        RetryLater: ClickHouse is away or busy.
        Permanent: a table is missing or may not be read.
    """
    with mapped_errors():
        archived = read_archived(client, topic)
        while True:
            found = _read(client, topic, archived)
            # A day that left or came back meanwhile would be counted twice, or not at all.
            before, archived = archived, read_archived(client, topic)
            if archived == before:
                return found


def _read(client: Client, topic: str, archived: Mapping[int, tuple[ArchivedSpan, ...]]) -> dict[int, Holdings]:
    events = client.query(EVENTS, parameters={"topic": topic}).result_rows
    found = {row[0]: Holdings(row[1], row[2], Sums(*row[3:])) for row in events}
    for number, spans in archived.items():
        _add_events(found, number, spans)
    held = {number: each.mark for number, each in found.items() if each.mark is not None}
    marks = {"topic": topic, "partitions": list(held), "marks": list(held.values())}
    letters = client.query(_LETTERS, parameters=marks).result_rows
    tail = client.query(_TAIL, parameters=marks).result_rows
    for number, first, *sums in letters:
        known = found[number]
        known.first, known.letters = min(first, known.first or 0), Sums(*sums)
    for number, spans in archived.items():
        _add_letters(found, number, spans)
    for number, first, last, doubled in tail:
        known = found.setdefault(number, Holdings())
        known.tail += (Run(OffsetRange(first, last), bool(doubled)),)
    return found


def _add_events(found: dict[int, Holdings], number: int, spans: tuple[ArchivedSpan, ...]) -> None:
    for span in spans:
        if span.is_event:
            known = found.setdefault(number, Holdings(*span.offsets))
            known.first = min(span.offsets.first, span.offsets.first if known.first is None else known.first)
            known.mark = max(span.offsets.last, known.mark or 0)
            known.events = known.events.plus(span.sums)
            known.archived += (span,)


def _add_letters(found: dict[int, Holdings], number: int, spans: tuple[ArchivedSpan, ...]) -> None:
    """Add dead letters that left; they leave only once an event has landed behind them, so all are below the mark."""
    for span in spans:
        if not span.is_event and number in found:
            known = found[number]
            known.first = min(span.offsets.first, span.offsets.first if known.first is None else known.first)
            known.letters = known.letters.plus(span.sums)
            known.archived += (span,)
