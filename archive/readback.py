"""Parquet files as DuckDB reads them: another reader than the writer's, and its own arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import duckdb

from archive.contents import Contents, Span, duckdb_queries
from archive.manifest import Manifest
from archive.store import Store
from archive.tables import Column
from contracts.errors import Permanent

_MEMORY: Final = "1GB"
_THREADS: Final = 2


@contextmanager
def duckdb_errors() -> Iterator[None]:
    """Turn DuckDB's exceptions into `Permanent` with one line."""
    try:
        yield
    except duckdb.Error as error:
        raise Permanent(f"DuckDB cannot read the archive: {' '.join(str(error).split())[:300]}") from error


def open_duckdb() -> duckdb.DuckDBPyConnection:
    """Return a database in memory with bounded means."""
    return duckdb.connect(config={"memory_limit": _MEMORY, "threads": _THREADS})


def read_contents(store: Store, names: Sequence[str], columns: Sequence[Column]) -> Contents:
    """Return what the files hold.

    Raises:
        RetryLater: the store is away.
        Permanent: a file is missing, damaged, or lacks a column.
    """
    if not names:
        return Contents({}, {each.name: 0 for each in columns})
    with open_duckdb() as connection, duckdb_errors():
        offsets, sums = duckdb_queries(columns, relation([store.readable(connection, name) for name in names]))
        found = {(row[0], row[1]): Span(*row[2:]) for row in connection.execute(offsets).fetchall()}
        row = connection.execute(sums).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Contents(found, {each.name: int(value) for each, value in zip(columns, row, strict=True)})


def relation(addresses: Sequence[str]) -> str:
    """Return the files as a relation of DuckDB."""
    listed = ", ".join("'" + address.replace("'", "''") + "'" for address in addresses)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def damage(store: Store, folder: str, manifest: Manifest) -> str | None:
    """Return in words what is wrong with the files of a piece by size and SHA-256, read now; None when nothing is.

    Raises:
        RetryLater: the store is away.
    """
    for file in manifest.files:
        name = f"{folder}/{file.name}"
        try:
            size, sha256 = store.digest(name)
        except Permanent as error:
            return str(error)
        if size != file.bytes:
            return f"{store.address(name)} has {size:,} bytes instead of {file.bytes:,}"
        if sha256 != file.sha256:
            return f"{store.address(name)} has another SHA-256 than when it was written"
    return None
