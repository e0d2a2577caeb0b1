"""How visits go: how long, where they begin and end, and from which page to which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from markupsafe import Markup

from contracts.settings import Settings
from dashboard.draw import flow, numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, Figure, figures, table
from dashboard.filters import Filters
from dashboard.panel import Answers, Draw, Page, Panel, Rows, each_day, part, rows_of_part
from dashboard.questions import Question, questions

_PARTS: Final = "sessions_parts"
_JOURNEYS: Final = "journeys"
_FLOW_STEPS: Final = 4
_MOST_MOVES: Final = 50
_NO_MOVES: Final = Markup("<p>No session of this device in that time.</p>")


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


def _device(filters: Filters, answers: Answers) -> list[dict[str, Any]]:
    """Return the moves of the chosen device, or of all."""
    parameters = filters.parameters()
    rows = answers[_JOURNEYS].rows
    return [row for row in rows if parameters["any_device"] or row["device_type"] == parameters["device"]]


def _flow(filters: Filters, answers: Answers) -> Markup:
    moves = [
        flow.Move(row["step"], row["from_where"], row["to_where"], row["moves"])
        for row in _device(filters, answers)
        if 0 < row["step"] <= _FLOW_STEPS
    ]
    return flow.draw(flow.fold(moves), "Sessions step by step") if moves else _NO_MOVES


def _moves(filters: Filters, answers: Answers) -> Markup:
    counts: Counter[tuple[str, str]] = Counter()
    for row in _device(filters, answers):
        counts[row["from_where"], row["to_where"]] += row["moves"]
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_MOVES]
    columns = (Column("from", "From"), Column("to", "To"), Column("moves", "Moves", numbers.count, bar=True))
    rows = [{"from": origin, "to": target, "moves": count} for (origin, target), count in ranked]
    return table(rows, columns, "Moves, the most frequent first") if rows else _NO_MOVES


def _journeys(names: str, condition: str) -> Rows:
    """Return what gives the moves of the chosen device for download, added up by these columns."""

    def rows(filters: Filters, _: Settings) -> tuple[Question, Mapping[str, object]]:
        whole = questions()[_JOURNEYS]
        sql = (
            f"SELECT {names}, sum(moves) AS all_moves FROM ({whole.sql}) "  # noqa: S608 - names of ours
            f"WHERE ({{any_device:UInt8}} OR device_type = {{device:String}}) AND {condition} "
            f"GROUP BY {names} ORDER BY all_moves DESC, {names}"
        )
        question = replace(whole, sql=sql, parameters=whole.parameters | {"any_device", "device"})
        return question, filters.parameters()

    return rows


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
        Panel(
            "flow",
            "Step by step",
            _JOURNEYS,
            _flow,
            "sessions",
            wide=True,
            hint=_BY_DAY,
            rows=_journeys("step, from_where, to_where", f"step BETWEEN 1 AND {_FLOW_STEPS}"),
        ),
        *(
            Panel(side, title, _PARTS, _pages(side, name), "sessions", rows=rows_of_part(_PARTS, side, *_PAGE_COLUMNS))
            for side, title, name in (
                ("entries", "Where they begin", "Entry pages"),
                ("exits", "Where they end", "Exit pages"),
            )
        ),
        Panel(
            "moves",
            "Moves",
            _JOURNEYS,
            _moves,
            "sessions",
            wide=True,
            hint=_BY_DAY,
            rows=_journeys("from_where, to_where", "1"),
        ),
    ),
    filters=("range", "device", "country", "type", "kind"),
)
