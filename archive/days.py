"""The days of raw beside the archive: what is archived, what waits, what has left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from archive.contents import Offsets, Span, added
from archive.ledger import Ledger, Piece
from archive.tables import TABLES
from contracts.clickhouse import mapped_errors

_THERE: Final = (
    "SELECT toDate(ingested_at) AS day, kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(), "
    "sum(kafka_offset), sum(kafka_offset * kafka_offset) FROM {table} GROUP BY day, kafka_topic, kafka_partition"
)


@dataclass(frozen=True)
class DayState:
    """One day of landing.

    Args:
        day: which.
        events, letters: rows in ClickHouse.
        archived: rows in the archive, of both tables.
        bytes: of its files.
        state: archived, changed (rows landed since it was archived), dropped (it left ClickHouse), moving, or waiting.
    """

    day: date
    events: int
    letters: int
    archived: int
    bytes: int
    state: str


def list_days(client: Client, last_closed: date) -> list[DayState]:
    """Return each closed day from the first that is known of, in order, from ClickHouse's ledgers alone.

    Raises:
        RetryLater, Permanent: ClickHouse is away, or refuses.
    """
    there = {table.name: _there(client, table.name) for table in TABLES}
    pieces: dict[date, list[Piece]] = {}
    for piece in Ledger(client).all():
        pieces.setdefault(piece.day, []).append(piece)
    known = {*pieces, *(day for days in there.values() for day in days)}
    first = min(known, default=last_closed + timedelta(days=1))
    days = [first + timedelta(days=number) for number in range((last_closed - first).days + 1)]
    return [
        _state(day, {name: found.get(day, {}) for name, found in there.items()}, pieces.get(day, [])) for day in days
    ]


def _there(client: Client, table: str) -> dict[date, dict[tuple[str, int], Span]]:
    found: dict[date, dict[tuple[str, int], Span]] = {}
    with mapped_errors():
        for day, topic, partition, *numbers in client.query(_THERE.format(table=table)).result_rows:
            found.setdefault(day, {})[topic, partition] = Span(*numbers)
    return found


def _state(day: date, there: dict[str, Offsets], pieces: Sequence[Piece]) -> DayState:
    events, letters = (sum(span.rows for span in there[table.name].values()) for table in TABLES)
    rows, size = (sum(getattr(piece, name) for piece in pieces) for name in ("rows", "bytes"))
    return DayState(day, events, letters, rows, size, _word(there, pieces))


def _word(there: dict[str, Offsets], pieces: Sequence[Piece]) -> str:
    if {piece.table for piece in pieces} < set(there):
        return "waiting"
    if any(piece.state == "moving" for piece in pieces):
        return "moving"
    for table, offsets in there.items():
        stayed = [piece.offsets for piece in pieces if piece.table == table and piece.state == "verified"]
        if added(*stayed) != dict(offsets):
            return "changed"
    return "dropped" if any(piece.state == "dropped" and piece.rows for piece in pieces) else "archived"
