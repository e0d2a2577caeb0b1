"""`millrace restore`: archived days back into ClickHouse."""

from __future__ import annotations

from typing import Annotated

import typer

from archive.place import Archive
from archive.restore import restore_day
from archive.tables import parse_day
from contracts.clock import SystemClock
from contracts.settings import load_settings


def restore(
    days: Annotated[list[str], typer.Argument(metavar="DAY…", help="UTC days of landing, as in 2026-03-01.")],
) -> None:
    """Put archived days back into the raw tables, bit for bit; refuses a day of which ClickHouse has other rows.

    Harmless to repeat, also after it was ended half-way. RETENTION_DAYS takes the day out again.
    """
    wanted = [parse_day(day) for day in days]
    with Archive.opened(load_settings(), SystemClock()) as archive:
        for day in wanted:
            for each in restore_day(archive, day):
                there = f", {each.there:,} were there" if each.there else ""
                typer.echo(f"{each.table} {day}: {each.rows:,} rows restored{there}")
