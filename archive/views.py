"""DuckDB's views over the archive: `raw_events` and `raw_dead_letters` in MILLRACE_HOME/archive.duckdb.

Each names its files, so that it never shows what is being written or was superseded. The database is made anew beside
the old one and takes its place: DuckDB lets nobody write what somebody reads. Views over a bucket can be read by
connections that `Store.prepare` has seen; for those that have DuckDB's S3 extension, `archive.sql` makes the same ones.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

from archive.place import Archive
from archive.readback import duckdb_errors
from archive.tables import TABLES, Column, RawTable, columns_of
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
    elsewhere = ""
    try:
        with duckdb_errors(), duckdb.connect(str(made)) as connection:
            for table in TABLES:
                files = [file for piece in pieces if piece.table == table.name for file in piece.files]
                empty = "" if files else _empty(archive, table)
                here = _over([archive.store.readable(connection, file) for file in files]) if files else empty
                connection.execute(f"CREATE VIEW {table.folder} AS {here}")
                there = _over([archive.store.address(file) for file in files]) if files else empty
                elsewhere += f"CREATE OR REPLACE VIEW {table.folder} AS {there};\n"
        made.replace(views_file(archive.home))
    finally:
        made.unlink(missing_ok=True)
    if not archive.store.is_local:
        views_file(archive.home).with_suffix(".sql").write_text(elsewhere)


def _empty(archive: Archive, table: RawTable) -> str:
    with mapped_errors():
        return _nothing(columns_of(archive.client, table.name))


def _over(files: Iterable[str]) -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
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
