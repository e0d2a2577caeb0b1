"""The manifest of a piece: what one JSON file says about its Parquet files, which do not count without it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec

from archive.contents import Contents, Span
from archive.tables import Column, RawTable
from contracts.errors import Permanent

# Rises when what a checksum means changes.
FORMAT: Final = 1


class ParquetFile(msgspec.Struct, frozen=True):
    """A file: its name in the day's folder, size in bytes, SHA-256 and rows."""

    name: str
    bytes: int
    sha256: str
    rows: int


class OffsetEntry(msgspec.Struct, frozen=True):
    """The offsets of one Kafka partition, see `archive.contents.Span`; sums as decimal text, for readers of doubles."""

    topic: str
    partition: int
    first: int
    last: int
    rows: int
    total: str
    squares: str


class ColumnEntry(msgspec.Struct, frozen=True):
    """A column: name, ClickHouse's type, checksum as 16 hexadecimal digits (see `archive.contents`)."""

    name: str
    type: str
    checksum: str


class Manifest(msgspec.Struct, frozen=True):
    """What a piece of a day is: some or all rows of one table that landed on it.

    Args:
        table, day, piece: which one.
        supersedes: pieces whose rows are all in this one.
        schema_version: what the checksums mean.
        written_at: ISO 8601.
        rows: in all files.
        files, offsets, columns: see their types; no files when there are no rows.
    """

    table: str
    day: date
    piece: str
    supersedes: tuple[str, ...]
    schema_version: int
    written_at: str
    rows: int
    files: tuple[ParquetFile, ...]
    offsets: tuple[OffsetEntry, ...]
    columns: tuple[ColumnEntry, ...]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def contents(self) -> Contents:
        """What the rows hold."""
        return Contents(
            {
                (each.topic, each.partition): Span(each.first, each.last, each.rows, int(each.total), int(each.squares))
                for each in self.offsets
            },
            {each.name: int(each.checksum, 16) for each in self.columns},
        )

    @property
    def described(self) -> tuple[Column, ...]:
        """The columns with their types."""
        return tuple(Column(each.name, each.type) for each in self.columns)


def entries(contents: Contents, columns: Iterable[Column]) -> tuple[tuple[OffsetEntry, ...], tuple[ColumnEntry, ...]]:
    """Return what a manifest says about `contents`."""
    offsets = tuple(
        OffsetEntry(*place, span.first, span.last, span.rows, str(span.total), str(span.squares))
        for place, span in sorted(contents.offsets.items())
    )
    return offsets, tuple(
        ColumnEntry(each.name, each.type, f"{contents.columns.get(each.name, 0):016x}") for each in columns
    )


def folder(table: RawTable, day: date) -> str:
    """Return the folder of a day, with the day in Hive's way, so that readers may skip days."""
    return f"{table.folder}/day={day.isoformat()}"


def encode(manifest: Manifest) -> bytes:
    """Return the JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2)


def decode(data: bytes, name: str) -> Manifest:
    """Return the manifest in `data`.

    Raises:
        Permanent: it is none, or of a later version.
    """
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Permanent(f"{name} in the archive is no manifest: {error}") from error
    if manifest.schema_version != FORMAT:
        raise Permanent(f"{name} in the archive is of version {manifest.schema_version}; this program reads {FORMAT}")
    return manifest
