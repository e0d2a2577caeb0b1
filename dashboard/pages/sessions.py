"""How visits go: how long, where they begin and end, and from which page to which."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from dashboard.draw import flow, numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, Figure, figures, table
from dashboard.filters import Filters
from dashboard.panel import Answers, Draw, Page, Panel, each_day, part, rows_of_part

_PARTS: Final = "sessions_parts"


def _totals(_: Filters, answers: Answers) -> Markup:
    (row,) = part(answers, _PARTS, "totals")
    return figures(
        [
            Figure("Sessions", row["sessions"], note="without bots"),
            Figure("Conversion", row["converted"], numbers.percent, "with a purchase"),
            Figure("Bounced", row["bounced"], numbers.percent, "at most one page"),
            Figure("Median duration", row["median_seconds"], numbers.duration, "with more than one event"),
            Figure("Pages a session", row["pages_each"], numbers.decimal),
            Figure("Bots", row["bots"], note="sessions left out"),
        ]
    )


def _days(_: Filters, answers: Answers) -> Markup:
    rows = each_day(part(answers, _PARTS, "days"), "session_date", sessions=0, buying=0)
    lines = [
        Line("Sessions", [row["sessions"] for row in rows], "a", area=True),
        Line("with a purchase", [row["buying"] for row in rows], "b"),
    ]
    return draw(Chart("Sessions by day", [row["session_date"] for row in rows], lines))


def _durations(_: Filters, answers: Answers) -> Markup:
    columns = (
        Column("duration", "Duration"),
        Column("sessions", "Sessions", numbers.count, bar=True),
        Column("converted", "Conversion", numbers.percent),
    )
    return table(part(answers, _PARTS, "durations"), columns, "Sessions by duration")


def _pages(name: str, title: str) -> Draw:
    def drawn(_: Filters, answers: Answers) -> Markup:
        columns = (
            Column("page", "Page"),
            Column("sessions", "Sessions", numbers.count, bar=True),
            Column("bounced", "Bounced", numbers.percent),
            Column("converted", "Conversion", numbers.percent),
        )
        return table(part(answers, _PARTS, name)[:12], columns, title)

    return drawn


def _flow(_: Filters, answers: Answers) -> Markup:
    rows = answers["journey_flow"].rows
    moves = [flow.Move(row["step"], row["from_page"], row["to_page"], row["moves"]) for row in rows]
    return flow.draw(flow.fold(moves), "Sessions from page to page")


def _moves(_: Filters, answers: Answers) -> Markup:
    columns = (
        Column("from_where", "From"),
        Column("to_where", "To"),
        Column("all_moves", "Moves", numbers.count, bar=True),
    )
    return table(answers["journey_moves"].rows, columns, "Moves, the most frequent first")


_BY_DAY: Final = "The last week of it at most, in whole days; follows device. Digits in a path stand for one of many."

_TOTALS: Final = ("sessions", "bots", "bounced", "converted", "median_seconds", "pages_each")
_PAGE_COLUMNS: Final = ("page", "sessions", "bounced", "converted")

PAGE: Final = Page(
    name="sessions",
    title="Sessions",
    lead="How visits go: how long they last, where they begin and end, and the way between.",
    panels=(
        Panel(
            "totals",
            "Sessions in this time",
            _PARTS,
            _totals,
            "sessions",
            wide=True,
            rows=rows_of_part(_PARTS, "totals", *_TOTALS),
        ),
        Panel(
            "days",
            "Sessions by day",
            _PARTS,
            _days,
            "sessions",
            rows=rows_of_part(_PARTS, "days", "session_date", "sessions", "buying"),
        ),
        Panel(
            "durations",
            "How long they last",
            _PARTS,
            _durations,
            "sessions",
            rows=rows_of_part(_PARTS, "durations", "duration", "sessions", "converted"),
        ),
        Panel("flow", "From page to page", "journey_flow", _flow, "sessions", wide=True, hint=_BY_DAY),
        *(
            Panel(side, title, _PARTS, _pages(side, name), "sessions", rows=rows_of_part(_PARTS, side, *_PAGE_COLUMNS))
            for side, title, name in (
                ("entries", "Where they begin", "Entry pages"),
                ("exits", "Where they end", "Exit pages"),
            )
        ),
        Panel("moves", "Moves", "journey_moves", _moves, "sessions", wide=True, hint=_BY_DAY),
    ),
    filters=("range", "device", "country", "type", "kind"),
)
