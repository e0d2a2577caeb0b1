"""What is archived: the two raw tables, their columns, and days of landing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from contracts.errors import Permanent, UserError
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS

# A batch keeps the day of its first try. Those that were under way at midnight have landed by then; a batch that an
# outage held back for longer makes its day differ from its archive, which is seen and mended.
CLOSED_AFTER: Final = timedelta(hours=1)
# Rows that landed on a day; ClickHouse reads that partition, and for offsets only the projection by day.
ON_DAY: Final = "toDate(ingested_at) = {day:Date}"


@dataclass(frozen=True)
class RawTable:
    """One of the tables.

    Args:
        name: in ClickHouse, and with `_` for the dot in the archive.
        order: its sorting key, in which rows are archived: neighbours resemble each other, and nothing is sorted anew.
        is_text: whether its texts are UTF-8 for certain; if not they are archived as bytes.
    """

    name: str
    order: str
    is_text: bool

    @property
    def folder(self) -> str:
        """Its folder in the archive, and its view in DuckDB."""
        return self.name.replace(".", "_")


EVENTS: Final = RawTable(RAW_EVENTS, "event_type, user_id, event_time", is_text=True)
LETTERS: Final = RawTable(RAW_DEAD_LETTERS, "kafka_topic, kafka_partition, kafka_offset", is_text=False)
# Dead letters land before the events of their batch and leave after them.
TABLES: Final = (EVENTS, LETTERS)


@dataclass(frozen=True)
class Column:
    """A column by its name and ClickHouse's type."""

    name: str
    type: str


def columns_of(client: Client, table: str) -> tuple[Column, ...]:
    """Return the columns of `database.table` in order; call it inside `mapped_errors`.

    Raises:
        Permanent: there is no such table.
    """
    database, name = table.split(".")
    rows = client.query(
        "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {name:String} "
        "ORDER BY position",
        parameters={"database": database, "name": name},
    ).result_rows
    if not rows:
        raise Permanent(f"the table {table} is missing (has `millrace migrate` run?)")
    return tuple(Column(*row) for row in rows)


def parse_day(text: str) -> date:
    """Return the day in YYYY-MM-DD.

    Raises:
        UserError: it is none.
    """
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise UserError(f"{text!r} is no day; write YYYY-MM-DD as in 2026-03-01 (the UTC day of landing)") from None


def last_closed_day(now: datetime) -> date:
    """Return the newest day to which nothing is being added any more."""
    return (now - CLOSED_AFTER).date() - timedelta(days=1)


def partition_id(day: date) -> str:
    """Return ClickHouse's name of the day's partition of either table."""
    return f"{day:%Y%m%d}"
