"""Look closer at one partition whose fingerprint is wrong: which offsets are missing, doubled or in both tables.

First the fingerprints of some thousand windows of offsets, then, inside the wrong windows only, row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from audit.archived import ArchivedSpan
from audit.ledger import Holdings
from audit.ranges import joined, without
from audit.report import OffsetRange
from audit.sums import NO_OFFSETS, Sums, sums_of_range
from contracts.clickhouse import mapped_errors
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS

_WINDOWS: Final = 4_096
_SMALLEST_WINDOW: Final = 1_024
# Rows that one query sorts: some 100 MB in the server.
_ROWS_AT_ONCE: Final = 1_000_000
# Nobody reads so many ranges; what is behind them is only counted.
_MOST_RUNS: Final = 200_000

# Offsets up to the mark do not change any more, so that these queries agree with each other and with the ledger.
_WHERE: Final = """WHERE kafka_topic = {topic:String} AND kafka_partition = {partition:UInt32}
        AND kafka_offset >= {first:UInt64} AND kafka_offset <= {last:UInt64}"""
_ROWS: Final = f"""(
    SELECT kafka_offset AS offset, 0 AS letter FROM {RAW_EVENTS} {_WHERE}
    UNION ALL
    SELECT kafka_offset AS offset, 1 AS letter FROM {RAW_DEAD_LETTERS} {_WHERE}
)"""  # noqa: S608 - constant names
_WINDOW: Final = "intDiv(offset - {first:UInt64}, {width:UInt64})"
_BY_WINDOW: Final = f"""
SELECT {_WINDOW} AS window, count(), sum(offset), sum(offset * offset) FROM {_ROWS} GROUP BY window"""  # noqa: S608

_ALL: Final = f"SELECT count(), sum(offset), sum(offset * offset) FROM {_ROWS}"  # noqa: S608

_COPIES: Final = f"""(
    SELECT offset, countIf(letter = 0) AS events, countIf(letter = 1) AS letters
    FROM {_ROWS} WHERE has({{windows:Array(UInt64)}}, {_WINDOW}) GROUP BY offset
)"""  # noqa: S608
# Offsets of one state that follow each other have one difference to their place in the order.
_RUNS: Final = f"""
SELECT twice, both, min(offset) AS low, max(offset) FROM
(
    SELECT offset, greatest(events, letters) > 1 AS twice, events > 0 AND letters > 0 AS both,
        offset - row_number() OVER (PARTITION BY twice, both ORDER BY offset) AS run
    FROM {_COPIES}
)
GROUP BY twice, both, run ORDER BY low"""  # noqa: S608


@dataclass(frozen=True)
class Findings:
    """What a close look found in one partition, up to its mark.

    Args:
        missing: ranges of offsets in neither table.
        doubled: ranges of offsets more than once in one table.
        in_both: ranges of offsets in both tables.
        unexamined: offsets in wrong windows that were too many to look into, or among days that left for the archive.
    """

    missing: tuple[OffsetRange, ...] = ()
    doubled: tuple[OffsetRange, ...] = ()
    in_both: tuple[OffsetRange, ...] = ()
    unexamined: int = 0

    def plus(self, other: Findings) -> Findings:
        """Return what was found here and in a stretch above."""
        return Findings(
            self.missing + other.missing,
            self.doubled + other.doubled,
            self.in_both + other.in_both,
            self.unexamined + other.unexamined,
        )


@dataclass(frozen=True)
class _Window:
    """Some offsets, and the number of rows they have."""

    number: int
    offsets: OffsetRange
    rows: int


def look_closer(client: Client, place: tuple[str, int], holdings: Holdings) -> Findings:
    """Return what is wrong in a partition; its cost follows the partition's rows, so ask only where needed.

    Args:
        client: a client of ClickHouse.
        place: topic and partition.
        holdings: of it; first and mark must be known.

    Raises:
        RetryLater, Permanent: ClickHouse is away, or refuses.
    """
    assert holdings.first is not None  # noqa: S101 - nothing is wrong with nothing
    assert holdings.mark is not None  # noqa: S101
    hulls = list(_hulls(holdings.archived))
    found = Findings(unexamined=sum(hull.size for hull, sums in hulls if not _is_whole(client, place, hull, sums)))
    for span in without([OffsetRange(holdings.first, holdings.mark)], [hull for hull, _ in hulls]):
        found = found.plus(_look(client, place, span))
    return found


def _hulls(archived: Iterable[ArchivedSpan]) -> Iterator[tuple[OffsetRange, Sums]]:
    """Yield stretches of offsets that days in the archive lie in, disjoint and in order, with those days' sums."""
    grown: tuple[OffsetRange, Sums] | None = None
    for span in sorted(archived, key=lambda one: one.offsets):
        if grown is not None and span.offsets.first <= grown[0].last:
            hull = OffsetRange(grown[0].first, max(grown[0].last, span.offsets.last))
            grown = (hull, grown[1].plus(span.sums))
            continue
        if grown is not None:
            yield grown
        grown = (span.offsets, span.sums)
    if grown is not None:
        yield grown


def _is_whole(client: Client, place: tuple[str, int], hull: OffsetRange, archived: Sums) -> bool:
    """Tell whether archived rows and those that are still there make each offset of the stretch once."""
    wanted = sums_of_range(*hull)
    if archived == wanted:
        return True
    asked = {"topic": place[0], "partition": place[1], "first": hull.first, "last": hull.last}
    with mapped_errors():
        return archived.plus(Sums(*client.query(_ALL, parameters=asked).result_rows[0])) == wanted


def _look(client: Client, place: tuple[str, int], span: OffsetRange) -> Findings:
    """Return what is wrong in a stretch of which everything should be in the raw tables."""
    width = max(_SMALLEST_WINDOW, -(-span.size // _WINDOWS))
    asked = {"topic": place[0], "partition": place[1], "first": span.first, "last": span.last, "width": width}
    runs: list[tuple[bool, bool, OffsetRange]] = []
    with mapped_errors():
        wrong = _wrong_windows(client.query(_BY_WINDOW, parameters=asked).result_rows, span, width)
        pieces = list(_pieces(wrong))
        examined: list[OffsetRange] = []
        while pieces and len(runs) < _MOST_RUNS:
            piece = pieces.pop(0)
            examined += [window.offsets for window in piece]
            rows = client.query(_RUNS, parameters=asked | _numbers(piece)).result_rows
            runs += [(twice, both, OffsetRange(low, high)) for twice, both, low, high in rows]
    return Findings(
        tuple(without(joined(examined), joined(found for _, _, found in runs))),
        tuple(joined(found for twice, _, found in runs if twice)),
        tuple(joined(found for _, both, found in runs if both)),
        sum(window.offsets.size for piece in pieces for window in piece),
    )


def _wrong_windows(rows: Iterable[Sequence[int]], span: OffsetRange, width: int) -> Iterator[_Window]:
    found = {row[0]: Sums(*row[1:]) for row in rows}
    for number, first in enumerate(range(span.first, span.last + 1, width)):
        offsets = OffsetRange(first, min(first + width - 1, span.last))
        sums = found.get(number, NO_OFFSETS)
        if sums != sums_of_range(*offsets):
            yield _Window(number, offsets, sums.rows)


def _pieces(windows: Iterable[_Window]) -> Iterator[list[_Window]]:
    """Yield the windows in groups of so many rows that one query can sort them."""
    piece: list[_Window] = []
    rows = 0
    for window in windows:
        if piece and rows + window.rows > _ROWS_AT_ONCE:
            yield piece
            piece, rows = [], 0
        piece.append(window)
        rows += window.rows
    if piece:
        yield piece


def _numbers(piece: Iterable[_Window]) -> dict[str, Any]:
    # A window without rows needs no look: all of it is missing.
    return {"windows": [window.number for window in piece if window.rows]}
