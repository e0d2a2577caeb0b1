"""The form of a page's filters: labelled controls whose values go into the address."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.errors import MillraceError
from dashboard.database import Database
from dashboard.filters import NONE, RANGES, Filters, at
from dashboard.panel import Page, answered
from dashboard.questions import questions

_LABELS: Final[Mapping[str, str]] = {
    "range": "Time",
    "device": "Device",
    "country": "Country",
    "type": "Event type",
    "category": "Category",
    "item": "Item",
    "order": "Order by",
    "funnel": "Funnel",
    "experiment": "Experiment",
    "metric": "Metric",
    "kind": "Steps are",
    "q": "Search",
}
_FIXED: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "order": (("", "revenue"), ("events", "events"), ("seen", "last seen")),
    "kind": (("", "pages"), ("event", "types of events")),
    "metric": (
        ("", "the one that decides"),
        ("conversion", "conversion"),
        ("revenue_per_user", "revenue per user"),
        ("events_per_user", "events per user"),
    ),
}
# What is typed in, where a list would be too long.
_TYPED: Final = frozenset({"item", "q"})


@dataclass(frozen=True)
class Control:
    """One control of the form; without options it is a field to type in."""

    name: str
    label: str
    value: str
    options: Sequence[tuple[str, str]] = ()


async def controls(page: Page, filters: Filters, database: Database) -> list[Control]:
    """Return the page's controls; one whose options cannot be asked for offers what is chosen."""
    return list(await asyncio.gather(*(_control(name, page, filters, database) for name in page.filters)))


async def choose(page: Page, filters: Filters, database: Database) -> Filters:
    """Return the filters with a value for each that the page cannot do without: the first that there is."""
    for name in page.chosen:
        if not filters.get(name):
            known = await _known(name, database)
            filters = at(filters, **{name: known[0]}) if known else filters
    return filters


async def _control(name: str, page: Page, filters: Filters, database: Database) -> Control:
    label, value = _LABELS[name], filters.get(name)
    if name in _TYPED:
        return Control(name, label, value)
    if name == "range":
        return Control(name, label, filters.range, [(word, RANGES[word][0]) for word in page.ranges])
    if name in _FIXED:
        return Control(name, label, value, _FIXED[name])
    known = await _known(name, database)
    options = [] if name in page.chosen else [("", "any")]
    options += [(each or NONE, each or "(none)") for each in known]
    if value and value not in {word for word, _ in options}:
        options.append((value, value))
    return Control(name, label, value, options or [("", "none yet")])


async def _known(name: str, database: Database) -> list[str]:
    try:
        answer = await answered(database.ask(questions()[f"options_{name}"], {}))
    except MillraceError:  # the panels say what is wrong
        return []
    return [str(row["value"]) for row in answer.rows]
