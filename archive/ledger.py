"""`ops.archived_days`: which pieces of which days are archived, and where their rows are now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

from clickhouse_connect.driver.client import Client

from archive.contents import Offsets, Span
from archive.manifest import Manifest, folder
from archive.tables import TABLES
from contracts.clickhouse import mapped_errors
from contracts.names import ARCHIVED_DAYS

# verified: in the archive and in ClickHouse. moving: on the way from one to the other. dropped: in the archive only.
# superseded: another piece has its rows.
State = Literal["verified", "moving", "dropped", "superseded"]

_COLUMNS: Final = ("table_name", "day", "piece", "state", "rows", "bytes", "files", "offsets", "revision")
_CURRENT: Final = f"""
SELECT table_name, day, piece, toString(argMax(state, revision)), argMax(rows, revision) AS piece_rows,
    argMax(bytes, revision), argMax(files, revision), argMax(offsets, revision), max(revision)
FROM {ARCHIVED_DAYS} WHERE {{condition}}
GROUP BY table_name, day, piece ORDER BY day, table_name, piece"""  # noqa: S608 - constant names


@dataclass(frozen=True)
class Piece:
    """Some rows of one table that landed on one day, as the ledger knows them.

    Args:
        table, day, name: which.
        state: where its rows are.
        rows, bytes: in its files.
        files: their names in the archive.
        offsets: by Kafka partition.
        revision: of this entry; the next one has one more.
    """

    table: str
    day: date
    name: str
    state: State
    rows: int
    bytes: int
    files: tuple[str, ...]
    offsets: Offsets
    revision: int


class Ledger:
    """Reads and adds the entries.

    Args:
        client: of ClickHouse.

    Every method raises RetryLater when ClickHouse is away or busy, and Permanent when it refuses.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def of_day(self, table: str, day: date) -> dict[str, Piece]:
        """Return the pieces of one table and day by name, also superseded ones."""
        rows = self._read("table_name = {table:String} AND day = {day:Date}", {"table": table, "day": day})
        return {piece.name: piece for piece in rows}

    def all(self) -> list[Piece]:
        """Return all pieces that are not superseded, by day and table."""
        return [piece for piece in self._read("true", {}) if piece.state != "superseded"]

    def record(self, changes: Iterable[tuple[Manifest, State]], superseded: Iterable[Piece] = ()) -> None:
        """Add an entry for each of these pieces; all or none of them becomes visible."""
        rows = []
        for manifest, state in changes:
            known = self.of_day(manifest.table, manifest.day).get(manifest.piece)
            rows.append(_row(_as_piece(manifest, state, known.revision + 1 if known else 1)))
        rows += [_row(replace(piece, state="superseded", revision=piece.revision + 1)) for piece in superseded]
        if rows:
            with mapped_errors():
                self._client.insert(ARCHIVED_DAYS, rows, column_names=_COLUMNS)

    def _read(self, condition: str, parameters: dict[str, Any]) -> list[Piece]:
        with mapped_errors():
            rows = self._client.query(_CURRENT.format(condition=condition), parameters=parameters).result_rows
        return [_piece(row) for row in rows]


def _piece(row: Any) -> Piece:
    table, day, name, state, rows, size, files, offsets, revision = row
    spans = {}
    for entry in offsets:
        topic, partition, *numbers = entry.values() if isinstance(entry, dict) else entry
        spans[topic, partition] = Span(*numbers)
    return Piece(table, day, name, state, rows, size, tuple(files), spans, revision)


def _as_piece(manifest: Manifest, state: State, revision: int) -> Piece:
    where = folder(next(table for table in TABLES if table.name == manifest.table), manifest.day)
    files = tuple(f"{where}/{file.name}" for file in manifest.files)
    return Piece(
        manifest.table, manifest.day, manifest.piece, state, manifest.rows, manifest.bytes, files,
        manifest.contents.offsets, revision,
    )  # fmt: skip


def _row(piece: Piece) -> list[Any]:
    offsets = [(*place, *span) for place, span in sorted(piece.offsets.items())]
    return [
        piece.table, piece.day, piece.name, piece.state, piece.rows, piece.bytes, list(piece.files), offsets,
        piece.revision,
    ]  # fmt: skip
