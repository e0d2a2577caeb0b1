"""DuckDB's views over the archive: `raw_events` and `raw_dead_letters` in MILLRACE_HOME/archive.duckdb.

Each names its files, so that it never shows what is being written or was superseded. The database is made anew beside
the old one and takes its place: DuckDB lets nobody write what somebody reads.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

from archive.place import Archive
from archive.readback import duckdb_errors
from archive.tables import TABLES, Column, columns_of
from contracts.clickhouse import mapped_errors

_TYPES: Final = (("DateTime64", "TIMESTAMPTZ"), ("Decimal", "DECIMAL(18, 6)"), ("UUID", "UUID"), ("Int", "BIGINT"))


def views_file(home: Path) -> Path:
    """Return the database's path."""
    return home / "archive.duckdb"


def refresh_views(archive: Archive) -> None:
    """Make the views show exactly what the ledger knows to be archived.

    Raises:
        RetryLater, Permanent: ClickHouse is away, or the files cannot be read.
    """
    pieces = archive.ledger.all()
    made = views_file(archive.home).with_suffix(f".{secrets.token_hex(4)}")
    made.parent.mkdir(parents=True, exist_ok=True)
    try:
        with duckdb_errors(), duckdb.connect(str(made)) as connection:
            for table in TABLES:
                files = [file for piece in pieces if piece.table == table.name for file in piece.files]
                if files:
                    query = _over(archive, files)
                else:
                    with mapped_errors():
                        query = _nothing(columns_of(archive.client, table.name))
                connection.execute(f"CREATE VIEW {table.folder} AS {query}")
        made.replace(views_file(archive.home))
    finally:
        made.unlink(missing_ok=True)


def _over(archive: Archive, files: Iterable[str]) -> str:
    listed = ", ".join("'" + archive.store.address(file).replace("'", "''") + "'" for file in files)
    return (
        f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = true, "  # noqa: S608 - ours
        "hive_types = {'day': DATE})"
    )


def _nothing(columns: Iterable[Column]) -> str:
    """Return a query of no rows with the columns that the files would have."""
    typed = [f'NULL::{_type(each)} AS "{each.name}"' for each in columns]
    return f"SELECT {', '.join(typed)}, NULL::DATE AS day WHERE false"


def _type(column: Column) -> str:
    return next((duck for part, duck in _TYPES if part in column.type), "VARCHAR")
