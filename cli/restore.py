"""`millrace restore`: archived days back into ClickHouse."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

import typer

from archive.place import Archive
from archive.restore import restore_day
from archive.tables import parse_day
from cli.output import AsJson, print_json, progress_bar
from contracts.clock import SystemClock
from contracts.settings import load_settings


def restore(
    days: Annotated[list[str], typer.Argument(metavar="DAY…", help="UTC days of landing, as in 2026-03-01.")],
    as_json: AsJson = False,
) -> None:
    """Put archived days back into the raw tables, bit for bit; refuses a day of which ClickHouse has other rows.

    Harmless to repeat, also after it was ended half-way. RETENTION_DAYS takes the day out again.
    """
    wanted, restored = [parse_day(day) for day in days], []
    with Archive.opened(load_settings(), SystemClock()) as archive:
        for day in wanted:
            with progress_bar("restore") as move:
                done = restore_day(replace(archive, progress=move), day)
            restored += [asdict(each) | {"day": day} for each in done]
            for each in [] if as_json else done:
                there = f", {each.there:,} were there" if each.there else ""
                typer.echo(f"{each.table} {day}: {each.rows:,} rows restored{there}")
    if as_json:
        print_json(restored)
