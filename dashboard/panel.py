"""What a page is made of: panels, each with its question, how it is drawn, and how old its data may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from markupsafe import Markup

from contracts.errors import MillraceError, RetryLater, UserError
from contracts.settings import Settings
from dashboard.database import Answer, Database, NotThere, TooMuch
from dashboard.filters import Filters
from dashboard.questions import Question, questions

State = Literal["ok", "empty", "error"]
Source = Literal["live", "marts", "sessions", "funnels", "experiments", "raw", "none"]
Answers = Mapping[str, Answer]
Draw = Callable[[Filters, Answers], Markup]
# Asks for what is no file of SQL.
Ask = Callable[[Database, Filters], Future[Answer]]
# The SQL of its download and the values it takes.
Rows = Callable[[Filters, Settings], tuple[Question, Mapping[str, object]]]
# Older than this, a tile is stale: live tables follow each insert, marts each run.
STALE_SECONDS: Final[Mapping[Source, int]] = {
    "live": 30,
    "raw": 30,
    "marts": 120,
    "sessions": 120,
    "funnels": 180,
    "experiments": 180,
    "none": 0,
}
# A question may take ten seconds; more is waiting for a server that hangs.
_PATIENCE_SECONDS: Final = 11.0
_EMPTY: Final = Answer((), (), datetime.min.replace(tzinfo=UTC))


@dataclass(frozen=True)
class Panel:
    """One panel of a page.

    Args:
        name: in addresses and of its element.
        title: as people read it.
        question: whose answer it shows and gives for download; the name of an answer where `ask` is given.
        draw: makes HTML of the answers.
        source: where the data comes from, which says how old it may be.
        empty: what to say when there are no rows.
        also: more questions that it needs; a table of theirs that is missing counts as empty.
        wide: takes the whole width.
        hint: a sentence under the title.
        ask: asks for what is no file of SQL.
        rows: of its download, where it is not the question's own; without it what has `ask` has none.
    """

    name: str
    title: str
    question: str
    draw: Draw
    source: Source = "marts"
    empty: str = "Nothing in this stretch of time with these filters."
    also: tuple[str, ...] = ()
    wide: bool = False
    hint: str = ""
    ask: Ask | None = None
    rows: Rows | None = None

    @property
    def has_download(self) -> bool:
        """Whether its rows can be had as a file."""
        return self.ask is None or self.rows is not None


@dataclass(frozen=True)
class Page:
    """One page.

    Args:
        name: its path without the slash.
        title: in the menu and as heading.
        lead: a sentence on what it answers.
        panels: in order.
        filters: that it offers, in order.
        ranges: of time that it offers.
        default_range: where the address names none.
        refresh_seconds: between two looks of an open page.
        chosen: filters that always have a value: without one, the first that there is.
    """

    name: str
    title: str
    lead: str
    panels: tuple[Panel, ...]
    filters: tuple[str, ...]
    ranges: tuple[str, ...] = ("24h", "7d", "30d", "90d", "1y", "all")
    default_range: str = "7d"
    refresh_seconds: int = 10
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A panel with what there is to see now.

    Args:
        state: error has a sentence as body.
        as_of: up to when the data is complete; None where nobody knows.
        is_away: the error is that ClickHouse cannot be reached or is busy, which passes.
    """

    panel: Panel
    state: State
    body: Markup
    as_of: datetime | None = None
    is_away: bool = field(default=False)

    @property
    def stale_seconds(self) -> int:
        """From which age on the panel is stale."""
        return STALE_SECONDS[self.panel.source]


def part(answers: Answers, question: str, name: str) -> list[dict[str, Any]]:
    """Return those rows of an answer whose column `part` has this name: one reading can serve several panels."""
    return [row for row in answers[question].rows if row["part"] == name]


def each_day(rows: list[dict[str, Any]], name: str, **empty: Any) -> list[dict[str, Any]]:
    """Return a row for each day from the first to the last of column `name`; a day without one has `empty`."""
    if not rows:
        return []
    by_day = {row[name]: row for row in rows}
    first, last = min(by_day), max(by_day)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [by_day.get(day, {name: day, **empty}) for day in days]


def rows_of_part(question: str, name: str, *columns: str) -> Rows:
    """Return what gives these columns of one part for download."""

    def rows(filters: Filters, _: Settings) -> tuple[Question, Mapping[str, object]]:
        whole = questions()[question]
        sql = f"SELECT {', '.join(columns)} FROM ({whole.sql}) WHERE part = '{name}'"  # noqa: S608 - names of ours
        return replace(whole, sql=sql), filters.parameters()

    return rows


async def show(panel: Panel, filters: Filters, database: Database) -> Shown:
    """Ask the panel's questions and draw it; what goes wrong is a sentence in its place."""
    parameters = filters.parameters()
    asked: dict[str, Future[Answer]] = {
        name: database.ask(questions()[name], parameters) for name in (*panel.also, "freshness")
    }
    ask = panel.ask
    asked[panel.question] = ask(database, filters) if ask else database.ask(questions()[panel.question], parameters)
    results = await asyncio.gather(*map(answered, asked.values()), return_exceptions=True)
    by_name = dict(zip(asked, results, strict=True))
    main = by_name[panel.question]
    if isinstance(main, BaseException):
        return _failed(panel, main)
    fresh = by_name["freshness"]
    as_of = None if isinstance(fresh, BaseException) else _as_of(panel, main, fresh)
    if not main.rows:
        return Shown(panel, "empty", Markup("<p>{}</p>").format(panel.empty), as_of)
    answers = {name: _EMPTY if isinstance(result, BaseException) else result for name, result in by_name.items()}
    return Shown(panel, "ok", panel.draw(filters, answers), as_of)


async def answered(future: Future[Answer]) -> Answer:
    """Return the answer, or give up on it: who waits for others' questions behind a server that hangs is told so.

    Raises:
        RetryLater: there is none in time; the question goes on, and the next look may find its answer.
        MillraceError: see `Database.ask`.
    """
    waiting = asyncio.wrap_future(future)
    done, _ = await asyncio.wait([waiting], timeout=_PATIENCE_SECONDS)
    if not done:
        # Not cancelled: others wait for the same answer. What becomes of it is no longer ours to report.
        waiting.add_done_callback(lambda late: late.exception())
        raise RetryLater(f"ClickHouse has not answered within {_PATIENCE_SECONDS:g} s")
    return waiting.result()


def _failed(panel: Panel, error: BaseException) -> Shown:
    if isinstance(error, NotThere):
        return Shown(panel, "empty", Markup("<p>Not built yet: the first run of the marts makes it.</p>"))
    if isinstance(error, TooMuch):
        words = "This needs more than a question may take. Choose a shorter time or more filters."
    elif isinstance(error, RetryLater):
        words = "ClickHouse cannot be reached or is busy. This page tries again by itself."
    elif isinstance(error, UserError):
        return Shown(panel, "empty", Markup("<p>{}</p>").format(str(error)))
    elif isinstance(error, MillraceError):
        words = f"ClickHouse refuses: {str(error)[:200]}"
    else:
        raise error
    return Shown(panel, "error", Markup("<p>{}</p>").format(words), is_away=isinstance(error, RetryLater))


def _as_of(panel: Panel, answer: Answer, fresh: Answer) -> datetime | None:
    """Return up to when the answer is complete: what it was made of, but not later than it was asked for."""
    found: Any = fresh.rows[0].get(panel.source) if fresh.rows else None
    return min(found, answer.asked_at) if isinstance(found, datetime) else None
