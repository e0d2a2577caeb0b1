"""How far people come on the way to something, and who stopped where."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from dashboard.draw import numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, table
from dashboard.filters import NONE, Filters
from dashboard.panel import Answers, Draw, Page, Panel, Rows, each_day, part, rows_of_part

_BY: Final = "funnel_by"
_EMPTY: Final = "Nobody entered this funnel in this time with these filters."


def _steps(filters: Filters, answers: Answers) -> Markup:
    columns = (
        Column("step", "Step", numbers.count),
        Column("name", "Name", link=lambda row: filters.address("/funnels", step=row["step"]) + "#p-users"),
        Column("users", "Users", numbers.count, bar=True),
        Column("of_first", "Of the first step", numbers.percent),
        Column("of_previous", "Of the step before", numbers.percent),
        Column("median_seconds", "Median time from it", numbers.duration),
        Column("stopped", "Came no further", numbers.count),
    )
    return table(answers["funnel_steps"].rows, columns, "Steps of the funnel")


def _by_day(answers: Answers) -> list[dict[str, Any]]:
    return each_day(part(answers, _BY, "days"), "entry_date", entered=0, completed=0, share=None)


def _days(_: Filters, answers: Answers) -> Markup:
    rows = _by_day(answers)
    lines = [
        Line("Entered", [row["entered"] for row in rows], "a", area=True),
        Line("Completed", [row["completed"] for row in rows], "b"),
    ]
    return draw(Chart("Users in the funnel by day", [row["entry_date"] for row in rows], lines))


def _conversion(_: Filters, answers: Answers) -> Markup:
    rows = _by_day(answers)
    shares = [row["share"] if row["entered"] else None for row in rows]
    return draw(
        Chart(
            "Completed of entered by day",
            [row["entry_date"] for row in rows],
            [Line("Completed", shares, "c")],
            numbers.percent,
        )
    )


def _by(name: str) -> Draw:
    def drawn(filters: Filters, answers: Answers) -> Markup:
        rows = part(answers, _BY, name)[:20]
        field = name if name == "device" else str(rows[0]["field"] or "no breakdown")

        def narrowed(row: Any) -> str:
            return filters.address("/funnels", **{name: row["value"] or NONE})

        columns = (
            Column("value", field.replace("_", " ").capitalize(), link=narrowed),
            Column("entered", "Entered", numbers.count, bar=True),
            Column("completed", "Completed", numbers.count),
            Column("share", "Completed", numbers.percent),
        )
        return table(rows, columns, f"The funnel by {field}")

    return drawn


def _users(filters: Filters, answers: Answers) -> Markup:
    columns = (
        Column("user_id", "User", link=lambda row: filters.address("/events", q=f'user="{row["user_id"]}"', type=None)),
        Column("last_entered", "Entered (UTC)", numbers.moment),
        Column("stopped_at", "Came so far (UTC)", numbers.moment),
        Column("device", "Device"),
        Column("value", "Breakdown"),
    )
    words = f"Users who came to step {filters.parameters()['step']} and no further"
    return Markup("<p>{}. Choose a step above to see its users.</p>").format(words) + table(
        answers["funnel_users"].rows, columns, words
    )


def _rows_by(name: str) -> Rows:
    return rows_of_part(_BY, name, "value", "field", "entered", "completed", "share")


_DAYS: Final = rows_of_part(_BY, "days", "entry_date", "entered", "completed", "share")

PAGE: Final = Page(
    name="funnels",
    title="Funnels",
    lead="How many come how far, how long it takes them, and who stopped at which step.",
    panels=(
        Panel(
            "steps",
            "Steps",
            "funnel_steps",
            _steps,
            "funnels",
            _EMPTY,
            wide=True,
            hint="Different users of the whole time, each with the best day of entry (UTC). Without bots.",
        ),
        Panel("days", "By day", _BY, _days, "funnels", _EMPTY, rows=_DAYS),
        Panel("conversion", "Completed by day", _BY, _conversion, "funnels", _EMPTY, rows=_DAYS),
        Panel("devices", "By device", _BY, _by("device"), "funnels", _EMPTY, rows=_rows_by("device")),
        Panel("countries", "By breakdown", _BY, _by("country"), "funnels", _EMPTY, rows=_rows_by("country")),
        Panel("users", "Users at a step", "funnel_users", _users, "funnels", "Nobody stopped at this step.", wide=True),
    ),
    filters=("funnel", "range", "device", "country"),
    chosen=("funnel",),
)
