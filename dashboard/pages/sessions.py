"""How visits go: how long, where they begin and end, and from which page to which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from markupsafe import Markup

from contracts.settings import Settings
from dashboard.draw import flow, numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, Figure, figures, table
from dashboard.filters import Filters
from dashboard.panel import Answers, Draw, Page, Panel, Rows, each_day, part
from dashboard.questions import Question, questions

_PARTS: Final = "sessions_parts"
_JOURNEYS: Final = "journeys"
_COUNTS: Final = ("sessions", "bots", "buying", "bouncing", "pages")
_CONVERTED: Final = "sum(buying) / all_sessions AS converted"
_FLOW_STEPS: Final = 4
_MOST_MOVES: Final = 50
_NONE_OF_DEVICE: Final = Markup("<p>No session of this device in that time.</p>")


def _of_device(filters: Filters, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the chosen device, or of all."""
    parameters = filters.parameters()
    return [row for row in rows if parameters["any_device"] or row["device_type"] == parameters["device"]]


def _added_up(filters: Filters, answers: Answers, name: str, key: str) -> list[dict[str, Any]]:
    """Return the rows of a part with the devices' counts added up by `key`, those with the most sessions first."""
    sums: dict[Any, Counter[str]] = {}
    for row in _of_device(filters, part(answers, _PARTS, name)):
        sums.setdefault(row[key], Counter()).update({count: row[count] for count in _COUNTS})
    rows = [{key: value, **_rated(counts)} for value, counts in sums.items()]
    return sorted(rows, key=lambda row: (-row["sessions"], row[key]))


def _rated(counts: Mapping[str, Any]) -> dict[str, Any]:
    sessions = counts["sessions"]
    shares = {"converted": "buying", "bounced": "bouncing", "pages_each": "pages"}
    return {**counts, **{name: counts[of] / sessions if sessions else None for name, of in shares.items()}}


def _totals(filters: Filters, answers: Answers) -> Markup:
    name = "all" if filters.parameters()["any_device"] else "totals"
    found = _of_device(filters, part(answers, _PARTS, name))
    if not found:
        return _NONE_OF_DEVICE
    row = _rated(found[0])
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


def _days(filters: Filters, answers: Answers) -> Markup:
    rows = each_day(_added_up(filters, answers, "days", "session_date"), "session_date", sessions=0, buying=0)
    lines = [
        Line("Sessions", [row["sessions"] for row in rows], "a", area=True),
        Line("with a purchase", [row["buying"] for row in rows], "b"),
    ]
    return draw(Chart("Sessions by day", [row["session_date"] for row in rows], lines)) if rows else _NONE_OF_DEVICE


def _durations(filters: Filters, answers: Answers) -> Markup:
    columns = (
        Column("duration", "Duration"),
        Column("sessions", "Sessions", numbers.count, bar=True),
        Column("converted", "Conversion", numbers.percent),
    )
    place = {row["duration"]: row["bucket"] for row in part(answers, _PARTS, "durations")}
    rows = sorted(_added_up(filters, answers, "durations", "duration"), key=lambda row: place[row["duration"]])
    return table(rows, columns, "Sessions by duration") if rows else _NONE_OF_DEVICE


def _pages(name: str, title: str) -> Draw:
    def drawn(filters: Filters, answers: Answers) -> Markup:
        columns = (
            Column("page", "Page"),
            Column("sessions", "Sessions", numbers.count, bar=True),
            Column("bounced", "Bounced", numbers.percent),
            Column("converted", "Conversion", numbers.percent),
        )
        rows = _added_up(filters, answers, name, "page")[:12]
        return table(rows, columns, title) if rows else _NONE_OF_DEVICE

    return drawn


def _flow(filters: Filters, answers: Answers) -> Markup:
    moves = [
        flow.Move(row["step"], row["from_where"], row["to_where"], row["moves"])
        for row in _of_device(filters, answers[_JOURNEYS].rows)
        if 0 < row["step"] <= _FLOW_STEPS
    ]
    return flow.draw(flow.fold(moves), "Sessions step by step") if moves else _NONE_OF_DEVICE


def _moves(filters: Filters, answers: Answers) -> Markup:
    counts: Counter[tuple[str, str]] = Counter()
    for row in _of_device(filters, answers[_JOURNEYS].rows):
        counts[row["from_where"], row["to_where"]] += row["moves"]
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_MOVES]
    columns = (Column("from", "From"), Column("to", "To"), Column("moves", "Moves", numbers.count, bar=True))
    rows = [{"from": origin, "to": target, "moves": count} for (origin, target), count in ranked]
    return table(rows, columns, "Moves, the most frequent first") if rows else _NONE_OF_DEVICE


def _rows(question: str, select: str, where: str, tail: str) -> Rows:
    """Return what gives the chosen device's rows of a question for download."""

    def rows(filters: Filters, _: Settings) -> tuple[Question, Mapping[str, object]]:
        whole = questions()[question]
        device = "({any_device:UInt8} OR device_type = {device:String})"
        sql = f"SELECT {select} FROM ({whole.sql}) WHERE {where} AND {device} {tail}"  # noqa: S608 - names of ours
        return replace(whole, sql=sql, parameters=whole.parameters | {"any_device", "device"}), filters.parameters()

    return rows


def _moves_rows(keys: str, where: str) -> Rows:
    return _rows(
        _JOURNEYS, f"{keys}, sum(moves) AS all_moves", where, f"GROUP BY {keys} ORDER BY all_moves DESC, {keys}"
    )


def _pages_rows(name: str) -> Rows:
    select = f"page, sum(sessions) AS all_sessions, sum(bouncing) / all_sessions AS bounced, {_CONVERTED}"
    return _rows(_PARTS, select, f"part = '{name}'", "GROUP BY page ORDER BY all_sessions DESC, page")


_BY_DAY: Final = "The last week of it at most, in whole days; follows device. Digits in a path stand for one of many."

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
            rows=_rows(
                _PARTS,
                "sessions, bots, bouncing / nullIf(sessions, 0) AS bounced, buying / nullIf(sessions, 0) AS converted, "
                "median_seconds, pages / nullIf(sessions, 0) AS pages_each",
                "part = if({any_device:UInt8}, 'all', 'totals')",
                "",
            ),
        ),
        Panel(
            "days",
            "Sessions by day",
            _PARTS,
            _days,
            "sessions",
            rows=_rows(
                _PARTS,
                "session_date, sum(sessions) AS all_sessions, sum(buying) AS all_buying",
                "part = 'days'",
                "GROUP BY session_date ORDER BY session_date",
            ),
        ),
        Panel(
            "durations",
            "How long they last",
            _PARTS,
            _durations,
            "sessions",
            rows=_rows(
                _PARTS,
                f"duration, sum(sessions) AS all_sessions, {_CONVERTED}",
                "part = 'durations'",
                "GROUP BY bucket, duration ORDER BY bucket",
            ),
        ),
        Panel(
            "flow",
            "Step by step",
            _JOURNEYS,
            _flow,
            "sessions",
            wide=True,
            hint=_BY_DAY,
            rows=_moves_rows("step, from_where, to_where", f"step BETWEEN 1 AND {_FLOW_STEPS}"),
        ),
        *(
            Panel(side, title, _PARTS, _pages(side, name), "sessions", rows=_pages_rows(side))
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
            rows=_moves_rows("from_where, to_where", "1"),
        ),
    ),
    filters=("range", "device", "country", "type", "kind"),
)
