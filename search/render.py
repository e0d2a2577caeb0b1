"""Events for people, safe on a terminal, and for scripts, an object a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from contracts.errors import UserError
from contracts.event import RAW_COLUMNS
from search.fields import PROPERTIES, find
from search.query import Row
from streaming.letters.text import safe, shortened, table

DEFAULT_COLUMNS: Final = (
    *("event_time", "event_type", "user_id", "session_id", "item_id", "page_url", "search_query", PROPERTIES),
)
_CELLS: Final = 48


def checked_columns(text: str | None) -> tuple[str, ...] | None:
    """Return the columns in a list with commas; None for none given.

    Raises:
        UserError: one is no column and no property.
    """
    if text is None:
        return None
    fields = [find(name.strip()) for name in text.split(",") if name.strip()]
    wrong = [field.name for field in fields if not field.keys and field.name not in RAW_COLUMNS]
    if wrong or not fields:
        raise UserError(f"--columns {text!r}: a list with commas of properties.KEY, {', '.join(RAW_COLUMNS)}")
    return tuple(dict.fromkeys(field.name for field in fields))


def events_text(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return a table with a line for each event; times are UTC, long values are cut."""
    lines = [tuple(shortened(safe(_text(row[name])), _CELLS) for name in columns) for row in rows]
    return table(tuple(safe(name) for name in columns), lines)


def event_line(row: Row) -> str:
    """Return an event as JSON in one line.

    Times are ISO 8601 in UTC, a price is text so that no digit changes, and properties are what the client wrote.
    """
    values = {name: _json(name, value) for name, value in row.items()}
    return msgspec.json.encode(values).decode()


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "milliseconds")
    return "" if value is None else str(value)


def _json(name: str, value: Any) -> Any:
    if name != PROPERTIES:
        return value
    if not value:
        return {}
    try:
        return msgspec.Raw(msgspec.json.format(value, indent=-1).encode())
    except msgspec.DecodeError:
        return value
