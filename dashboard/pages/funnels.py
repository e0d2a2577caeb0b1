"""How far people come on the way to something, and who stopped where."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from dashboard.draw import numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, table
from dashboard.filters import NONE, Filters
from dashboard.panel import Answers, Draw, Page, Panel

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


def _days(_: Filters, answers: Answers) -> Markup:
    rows = answers["funnel_days"].rows
    lines = [
        Line("Entered", [row["entered"] for row in rows], "a", area=True),
        Line("Completed", [row["completed"] for row in rows], "b"),
    ]
    return draw(Chart("Users in the funnel by day", [row["entry_date"] for row in rows], lines))


def _conversion(_: Filters, answers: Answers) -> Markup:
    rows = answers["funnel_days"].rows
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
        rows = answers[f"funnel_by_{name}"].rows
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
        Panel("days", "By day", "funnel_days", _days, "funnels", _EMPTY),
        Panel("conversion", "Completed by day", "funnel_days", _conversion, "funnels", _EMPTY),
        Panel("devices", "By device", "funnel_by_device", _by("device"), "funnels", _EMPTY),
        Panel("countries", "By breakdown", "funnel_by_country", _by("country"), "funnels", _EMPTY),
        Panel("users", "Users at a step", "funnel_users", _users, "funnels", "Nobody stopped at this step.", wide=True),
    ),
    filters=("funnel", "range", "device", "country"),
    chosen=("funnel",),
)
