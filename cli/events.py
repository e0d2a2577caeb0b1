"""`millrace events`: search raw events, newest first."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Annotated

import typer

from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.event import RAW_COLUMNS
from contracts.settings import load_settings
from search.filters import parse
from search.query import Events, Search
from search.render import DEFAULT_COLUMNS, checked_columns, event_line, events_text
from streaming.letters.filters import parse_since


def events(
    where: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE, FIELD!=VALUE or FIELD~WORDS, joined by AND; may be given several times."),
    ] = None,
    last: Annotated[str | None, typer.Option(help="Only what happened in the last 90s, 30m, 2h, 3d or 1w.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 100,
    columns: Annotated[str | None, typer.Option(help="What to show: columns and properties.KEY, with commas.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Show an event as often as the client sent it.")
    ] = False,
) -> None:
    """Show raw events, newest first by the time they happened.

    Fields are the columns of raw.events, properties.KEY (dots for nested ones), and for short user, session, item,
    query, page (the path of page_url) and text (words anywhere). FIELD~WORDS finds whole words in any order, upper
    and lower case alike; != also finds events without the field. Put a value with AND or a quote in it in quotes.
    """
    now = SystemClock().now()
    terms, chosen = parse(where or ()), checked_columns(columns)
    since = None if last is None else parse_since(last, now, "--last")
    settings = load_settings()
    shown = chosen or (RAW_COLUMNS if as_json else DEFAULT_COLUMNS)
    source = Events(cache(lambda: connect(settings)), timedelta(hours=settings.ingest_max_ahead_hours))
    rows = source.find(Search(terms, since, limit, shown, duplicates), now)
    if as_json:
        for row in rows:
            typer.echo(event_line(row))
    else:
        typer.echo(events_text(rows, shown) if rows else "no events match")
