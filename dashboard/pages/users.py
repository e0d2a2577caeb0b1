"""Who the users are, and what they did."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from dashboard.draw import numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, Figure, figures, table
from dashboard.filters import NONE, Filters
from dashboard.panel import Answers, Draw, Page, Panel, part, rows_of_part

_BY: Final = "users_by"
_TOTALS: Final = ("users", "new_users", "buyers", "buyer_share", "interactions_each", "all_revenue")
_BY_COLUMNS: Final = ("value", "users", "buyers", "all_revenue")


def _totals(_: Filters, answers: Answers) -> Markup:
    (row,) = part(answers, _BY, "totals")
    return figures(
        [
            Figure("Users seen", row["users"]),
            Figure("Seen for the first time", row["new_users"]),
            Figure("Who ever bought", row["buyers"]),
            Figure("Share of buyers", row["buyer_share"], numbers.percent),
            Figure("Events a user", row["interactions_each"], numbers.decimal, "of all time"),
            Figure("Their revenue", row["all_revenue"], numbers.money, "of all time"),
        ]
    )


def _days(_: Filters, answers: Answers) -> Markup:
    rows = answers["users_days"].rows
    line = Line("Active users", [row["active_users"] for row in rows], "a", area=True)
    return draw(Chart("Active users by day", [row["event_date"] for row in rows], [line]))


def _day_events(_: Filters, answers: Answers) -> Markup:
    rows = answers["users_days"].rows
    lines = [
        Line("Events", [row["events"] for row in rows], "a"),
        Line("of them late", [row["late_events"] for row in rows], "b"),
    ]
    return draw(Chart("Events by day", [row["event_date"] for row in rows], lines))


def _by(name: str) -> Draw:
    def drawn(filters: Filters, answers: Answers) -> Markup:
        columns = (
            Column(
                "value", name.capitalize(), link=lambda row: filters.address("/users", **{name: row["value"] or NONE})
            ),
            Column("users", "Users", numbers.count, bar=True),
            Column("buyers", "Buyers", numbers.count),
            Column("all_revenue", "Revenue", numbers.money),
        )
        return table(part(answers, _BY, name), columns, f"Users by {name}")

    return drawn


def _top(filters: Filters, answers: Answers) -> Markup:
    columns = (
        Column("user_id", "User", link=lambda row: filters.address("/events", q=f'user="{row["user_id"]}"', type=None)),
        Column("last_seen_at", "Last seen (UTC)", numbers.moment),
        Column("sessions", "Sessions", numbers.count),
        Column("days_active", "Days", numbers.count),
        Column("total_interactions", "Events", numbers.count),
        Column("purchases", "Purchases", numbers.count),
        Column("revenue", "Revenue", numbers.money),
        Column("last_device", "Device"),
        Column("last_country", "Country"),
    )
    return table(answers["users_top"].rows, columns, "Users")


PAGE: Final = Page(
    name="users",
    title="Users",
    lead="Who was here, who is new, and who buys.",
    panels=(
        Panel("totals", "Users in this time", _BY, _totals, wide=True, rows=rows_of_part(_BY, "totals", *_TOTALS)),
        Panel("days", "Active users by day", "users_days", _days, hint="All users, whatever the filters."),
        Panel(
            "events", "Events by day", "users_days", _day_events, hint="All events; late ones count on their own day."
        ),
        Panel("devices", "By device", _BY, _by("device"), rows=rows_of_part(_BY, "device", *_BY_COLUMNS)),
        Panel("countries", "By country", _BY, _by("country"), rows=rows_of_part(_BY, "country", *_BY_COLUMNS)),
        Panel("top", "Users", "users_top", _top, wide=True, hint="At most 50; the download has up to 100,000."),
    ),
    filters=("range", "device", "country", "type", "order"),
)
