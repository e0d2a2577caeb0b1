"""What is looked at and sold, and where a sale was out of the ordinary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from markupsafe import Markup

from dashboard.database import Answer
from dashboard.draw import numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, Figure, figures, table
from dashboard.filters import Filters
from dashboard.panel import Answers, Draw, Page, Panel


def _totals(_: Filters, answers: Answers) -> Markup:
    rows = answers["items_totals"].rows
    views, carts, sales = (sum(row[name] for row in rows) for name in ("all_views", "carts", "sales"))
    return figures(
        [
            Figure("Views", views),
            Figure("Added to cart", carts),
            Figure("Purchases", sales),
            Figure("View to cart", carts / views if views else None, numbers.percent),
            Figure("Cart to purchase", sales / carts if carts else None, numbers.percent),
            Figure("Revenue", sum(row["all_revenue"] for row in rows), numbers.money),
        ]
    )


def _hourly(title: str, column: str, show: Callable[[Any], str], colour: str) -> Draw:
    def drawn(filters: Filters, answers: Answers) -> Markup:
        rows = answers["items_totals"].rows
        line = Line(title, [row[column] for row in rows], colour, area=True)
        return draw(Chart(f"{title} {_every(filters)}", [row["moment"] for row in rows], [line], show))

    return drawn


def _item(filters: Filters, answers: Answers) -> Markup:
    rows = answers["item_hours"].rows
    item = rows[0]["item"]
    chart = Chart(
        f"Sales of {item} {_every(filters)}",
        [row["moment"] for row in rows],
        [Line("Sold", [row["sales"] for row in rows], "a"), Line("Expected", [row["expected"] for row in rows], "c")],
        numbers.decimal,
        ("95 % of what chance gives", [row["low"] for row in rows], [row["high"] for row in rows]),
        _incidents(item, [row["moment"] for row in rows], answers["item_incidents"], filters.point),
    )
    sold = sum(row["sales"] for row in rows)
    head = Markup("<p>Item <strong>{}</strong>: {} sold for {}.</p>").format(
        item, numbers.count(sold), numbers.money(sum(row["revenue"] for row in rows))
    )
    return head + draw(chart)


def _incidents(item: str, moments: Sequence[datetime], found: Answer, point: timedelta) -> list[tuple[int, str]]:
    """Return the points in which an incident about the item began, by their place in the chart."""
    return [
        (at, f"incident: {row['title']}")
        for row in found.rows
        for at, moment in enumerate(moments)
        if row["item"] == item and moment <= row["first_seen"] < moment + point
    ]


def _every(filters: Filters) -> str:
    hours = filters.point // timedelta(hours=1)
    return "by hour" if hours == 1 else f"by {hours} hours" if hours < 24 else "by day"  # noqa: PLR2004 - a day


def _top(filters: Filters, answers: Answers) -> Markup:
    columns = (
        Column("item_id", "Item", link=lambda row: filters.address("/items", item=row["item_id"])),
        Column("category", "Category"),
        Column("all_views", "Views", numbers.count),
        Column("all_clicks", "Clicks", numbers.count),
        Column("carts", "To cart", numbers.count),
        Column("sales", "Purchases", numbers.count),
        Column("all_units", "Units", numbers.count),
        Column("view_to_cart", "View to cart", numbers.percent),
        Column("cart_to_purchase", "Cart to purchase", numbers.percent),
        Column("all_revenue", "Revenue", numbers.money, bar=True),
    )
    return table(answers["items_top"].rows, columns, "Items")


PAGE: Final = Page(
    name="items",
    title="Items",
    lead="What is looked at, what sells, and whether an hour's sales are out of the ordinary.",
    panels=(
        Panel("totals", "All items in this time", "items_totals", _totals, wide=True),
        Panel("sales", "Purchases", "items_totals", _hourly("Purchases", "sales", numbers.count, "a")),
        Panel("revenue", "Revenue", "items_totals", _hourly("Revenue", "all_revenue", numbers.money, "b")),
        Panel(
            "item",
            "One item",
            "item_hours",
            _item,
            also=("item_incidents",),
            wide=True,
            hint="Expected: the item's share of the week before, applied to all other sales. Red lines are incidents.",
        ),
        Panel("top", "Items", "items_top", _top, wide=True, hint="Choose an item to see its hours."),
    ),
    filters=("range", "category", "type", "item"),
)
