"""What happens right now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from markupsafe import Markup

from dashboard.draw import numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, Figure, figures, table
from dashboard.filters import LIVE_RANGES, Filters
from dashboard.panel import Answers, Page, Panel


def _now(filters: Filters, answers: Answers) -> Markup:
    users, minutes = answers["live_users"].rows[0], answers["live_minutes"].rows
    events, purchases, revenue, buyers = (
        sum(row[name] for row in minutes[-_MINUTES:])
        for name in ("all_events", "all_purchases", "all_revenue", "buyers")
    )
    # The running minute alone would be nothing at its begin.
    rate = sum(row["all_events"] for row in minutes[-2:]) / (60 + filters.now.second)
    share = buyers / users["sessions_30"] if users["sessions_30"] else None
    return figures(
        [
            Figure("Active users", users["users_5"], note="last 5 minutes"),
            Figure("Active users", users["users_30"], note="last 30 minutes"),
            Figure("Events per second", rate, numbers.decimal, "this minute and the one before"),
            Figure("Events", events, note="last 30 minutes"),
            Figure("Purchases", purchases, note="last 30 minutes"),
            Figure("Revenue", revenue, numbers.money, "last 30 minutes"),
            Figure("Conversion", share, numbers.percent, "sessions with a purchase"),
        ]
    )


def _minutes(title: str, column: str, show: Callable[[Any], str], colour: str) -> Callable[[Filters, Answers], Markup]:
    def drawn(_: Filters, answers: Answers) -> Markup:
        rows = answers["live_minutes"].rows
        line = Line(title, [row[column] for row in rows], colour, area=True)
        return draw(Chart(f"{title} by minute", [row["minute"] for row in rows], [line], show))

    return drawn


def _pages(_: Filters, answers: Answers) -> Markup:
    columns = (Column("page", "Page"), Column("all_views", "Views", numbers.count, bar=True))
    return table(answers["live_pages"].rows[:10], columns, "Pages with the most views")


def _items(filters: Filters, answers: Answers) -> Markup:
    columns = (
        Column("item_id", "Item", link=lambda row: filters.address("/items", item=row["item_id"], range=None)),
        Column("all_interactions", "Events", numbers.count),
        Column("all_purchases", "Purchases", numbers.count),
        Column("all_revenue", "Revenue", numbers.money, bar=True),
    )
    return table(answers["live_items"].rows[:10], columns, "Items with the most revenue")


_MINUTES: Final = 30
_NONE: Final = "No events in this stretch of time. They show here within seconds of landing."

PAGE: Final = Page(
    name="live",
    title="Live",
    lead="What users do right now: each number is at most a few seconds behind the newest event.",
    panels=(
        Panel("now", "Right now", "live_users", _now, "live", _NONE, also=("live_minutes",), wide=True),
        Panel(
            "events",
            "Events a minute",
            "live_minutes",
            _minutes("Events", "all_events", numbers.count, "a"),
            "live",
            hint="The last minute is still running.",
        ),
        Panel(
            "revenue",
            "Revenue a minute",
            "live_minutes",
            _minutes("Revenue", "all_revenue", numbers.money, "b"),
            "live",
        ),
        Panel(
            "users", "Active users by minute", "live_minutes", _minutes("Users", "users", numbers.count, "a"), "live"
        ),
        Panel(
            "conversion",
            "Conversion by minute",
            "live_minutes",
            _minutes("Conversion", "conversion", numbers.percent, "c"),
            "live",
            hint="Of the sessions with an event in the minute, those with a purchase in it.",
        ),
        Panel("pages", "Top pages", "live_pages", _pages, "live", _NONE),
        Panel("items", "Top items", "live_items", _items, "live", _NONE),
    ),
    filters=("range", "device"),
    ranges=LIVE_RANGES,
    default_range="30m",
    refresh_seconds=2,
)
