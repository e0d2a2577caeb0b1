"""Search over raw events as one types, in the language of `millrace events`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

from markupsafe import Markup

from contracts.event import RAW_COLUMNS
from contracts.settings import Settings
from dashboard.database import Answer, Database
from dashboard.draw import numbers
from dashboard.draw.parts import Column, table
from dashboard.filters import MOST_ROWS, NONE, Filters
from dashboard.panel import Answers, Page, Panel
from dashboard.questions import Question
from search.filters import Term, parse
from search.query import Events, Search, Slice, statement

_TERM: Final = re.compile(r"\s*[^\s=!~\"']+\s*(!=|=|~)")
_FIELDS: Final = (("device", "device_type"), ("country", "country"), ("type", "event_type"))
_SHOWN: Final = (
    *("event_time", "event_type", "user_id", "session_id", "item_id", "page_url", "search_query"),
    *("price", "quantity", "device_type", "country", "properties", "event_id", "ingested_at"),
)
_LIMIT: Final = 50
_KEEP_SECONDS: Final = 1.0


def terms(filters: Filters) -> tuple[Term, ...]:
    """Return what events must match; words that are no FIELD=VALUE are searched for anywhere.

    Raises:
        UserError: the search cannot be understood.
    """
    typed = filters.get("q")
    texts = [typed if _TERM.match(typed) else f"text~{_quoted(typed)}"] if typed else []
    for name, field in _FIELDS:
        value = filters.get(name)
        if value:
            texts.append(f"{field}={_quoted('' if value == NONE else value)}")
    return parse(texts)


def ask(database: Database, filters: Filters) -> Future[Answer]:
    """Return the newest events that match, as they come.

    Raises:
        UserError: inside the future, when the search cannot be understood.
    """
    since = None if filters.range == "all" else filters.since

    def work() -> Answer:
        search = Search(terms(filters), since, _LIMIT, _SHOWN)
        ahead = timedelta(hours=database.settings.ingest_max_ahead_hours)
        rows = database.run(lambda client: Events(lambda: client, ahead).find(search, filters.now))
        return Answer(_SHOWN, tuple(rows), filters.now)

    key = ("events", since, *(filters.get(name) for name in ("q", "device", "country", "type")))
    return database.keep(key, _KEEP_SECONDS, work)


def rows(filters: Filters, settings: Settings) -> tuple[Question, Mapping[str, object]]:
    """Return the question of the download: all columns, each row as it was sent, newest first.

    Raises:
        UserError: the search cannot be understood.
    """
    since = None if filters.range == "all" else filters.since
    search = Search(terms(filters), since, MOST_ROWS, RAW_COLUMNS, duplicates=True)
    text, values = statement(search, Slice(since), timedelta(hours=settings.ingest_max_ahead_hours), MOST_ROWS)
    names = ", ".join(f"c{number} AS {name}" for number, name in enumerate(RAW_COLUMNS))
    question = Question("events", "", f"SELECT {names} FROM ({text})", frozenset(values), 0)  # noqa: S608 - names of ours; values are bound
    return question, values


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _found(filters: Filters, answers: Answers) -> Markup:
    def search(field: str) -> Any:
        return lambda row: filters.address("/events", q=f"{field}={_quoted(str(row[field]))}") if row[field] else None

    columns = (
        Column("event_time", "Time (UTC)", _milliseconds, whole=True),
        Column("event_type", "Type"),
        Column("user_id", "User", link=search("user_id"), whole=True),
        Column("session_id", "Session", str, link=search("session_id"), whole=True),
        Column("item_id", "Item", str, link=search("item_id"), whole=True),
        Column("page_url", "Page", _short),
        Column("search_query", "Searched for", _short),
        Column("price", "Price", numbers.money),
        Column("device_type", "Device"),
        Column("country", "Country"),
        Column("properties", "Properties", _short),
    )
    found = answers["events"].rows
    shown = f"The newest {len(found)} that match." if len(found) >= _LIMIT else f"{len(found)} match."
    return Markup("<p>{}</p>").format(shown) + table(found, columns, "Events")


def _milliseconds(value: Any) -> str:
    return f"{numbers.moment(value)}.{value.microsecond // 1000:03d}"


def _short(value: Any) -> str:
    text = str(value or "")
    return f"{text[:60]}…" if len(text) > 60 else text  # noqa: PLR2004 - a line of a table


_PANEL: Final = Panel(
    "found",
    "Events",
    "events",
    _found,
    "raw",
    "No event matches. Words are whole words; FIELD=VALUE, FIELD!=VALUE and FIELD~WORDS can be joined by AND.",
    wide=True,
    hint="Each event once, newest first. The download has every row as it was sent, up to 100,000.",
    ask=ask,
    rows=rows,
)
PAGE: Final = Page(
    name="events",
    title="Events",
    lead='Every event as it was sent. Type words, or user="u1" AND page=/checkout AND properties.order.id=7.',
    panels=(_PANEL,),
    filters=("q", "range", "device", "country", "type"),
    ranges=("1h", "24h", "7d", "30d", "90d", "all"),
    default_range="24h",
    refresh_seconds=5,
)
