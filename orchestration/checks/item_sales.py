"""The item-sales check: an item that sells far more in this hour than its share of all sales explains."""

from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg
import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.names import ITEM_SALES_CHECK
from contracts.settings import Settings, load_settings
from orchestration.checks.item_sales_statistics import remarkable
from orchestration.resources.clickhouse import ClickHouse

TABLE: Final = dg.AssetKey(["marts", "fct_item_hourly"])
HISTORY_HOURS: Final = 7 * 24
# A spike just before the full hour shows up after it: for this long the hour before is judged as well.
LOOK_BACK: Final = timedelta(minutes=10)
_ROWS_SHOWN: Final = 50

_QUERY: Final = """
SELECT
    item_id,
    anyLast(item_category) AS item_category,
    sumIf(purchases, event_hour = {hour:DateTime('UTC')}) AS sales,
    sumIf(purchases, event_hour < {hour:DateTime('UTC')}) AS history
FROM marts.fct_item_hourly
WHERE event_hour BETWEEN {since:DateTime('UTC')} AND {hour:DateTime('UTC')}
GROUP BY item_id
HAVING sales > 0 OR history > 0
"""


@dg.asset_check(
    asset=TABLE,
    name=ITEM_SALES_CHECK,
    blocking=False,
    description=(
        "Fails when an item's sales in the current hour reach ALERT_SALES_RATIO times the expected sales "
        "(its share of the preceding hours' sales, applied to what all other items sell in this hour), from "
        "ALERT_SALES_MIN sales on."
    ),
)
def item_sales_within_expected(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge the current hour, and for ten minutes the one before it."""
    settings = load_settings()
    with clickhouse.client() as client:
        hours = [(hour, hour_items(client, hour)) for hour in hours_to_judge(SystemClock().now())]
    return verdict(hours, settings)


def hours_to_judge(now: datetime) -> list[datetime]:
    """Return the starts of the hours to look at: the current one, first the one before while it is young."""
    current = now.replace(minute=0, second=0, microsecond=0)
    return [current - timedelta(hours=1), current] if now - current < LOOK_BACK else [current]


def hour_items(client: Client, hour: datetime) -> pl.DataFrame:
    """Return the items with their sales in `hour` and in the week before it."""
    since = hour - timedelta(hours=HISTORY_HOURS)
    answer = client.query(_QUERY, parameters={"hour": hour, "since": since})
    schema = {"item_id": pl.String, "item_category": pl.String, "sales": pl.Int64, "history": pl.Int64}
    return pl.DataFrame(answer.result_rows, schema=schema, orient="row")


def verdict(hours: list[tuple[datetime, pl.DataFrame]], settings: Settings) -> dg.AssetCheckResult:
    """Return the check's result with the offending items as a table that explains it.

    A failure is a warning: the numbers are right, it is the shop that is remarkable.
    """
    ratio, minimum = settings.alert_sales_ratio, settings.alert_sales_min
    comparable = [(hour, items) for hour, items in hours if items["history"].sum() > 0]
    found = [
        remarkable(items, ratio, minimum).with_columns(hour=pl.lit(f"{hour:%Y-%m-%d %H:%M}"))
        for hour, items in comparable
    ]
    offending = pl.concat(found) if found else pl.DataFrame()
    metadata: dict[str, Any] = {
        "window": " and ".join(f"{hour:%Y-%m-%d %H:%M}" for hour, _ in hours) + " UTC",
        "threshold": f"{ratio:g} x expected, from {minimum} sales on",
        "items_looked_at": sum(len(items) for _, items in comparable),
        "offending_items": offending["item_id"].to_list() if len(offending) else [],
    }
    if len(offending):
        metadata["offending"] = dg.MetadataValue.md(markdown_table(offending))
    return dg.AssetCheckResult(
        passed=not len(offending),
        severity=dg.AssetCheckSeverity.WARN,
        description=_sentence(offending, comparable=bool(comparable)),
        metadata=metadata,
    )


def markdown_table(offending: pl.DataFrame) -> str:
    """Return the offending items as a Markdown table, the worst first, at most 50."""
    lines = ["| item | category | hour (UTC) | sales | expected | ratio |", "|---|---|---|---:|---:|---:|"]
    lines += [
        f"| {_cell(row['item_id'])} | {_cell(row['item_category'])} | {row['hour']} | {row['sales']} "
        f"| {row['expected']:.1f} | {row['ratio']:.1f} |"
        for row in offending.head(_ROWS_SHOWN).iter_rows(named=True)
    ]
    hidden = len(offending) - _ROWS_SHOWN
    return "\n".join([*lines, *([f"\nand {hidden} more"] if hidden > 0 else [])])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sentence(offending: pl.DataFrame, *, comparable: bool) -> str:
    if not comparable:
        return "Not enough history: no sales in the preceding hours to compare with."
    if not len(offending):
        return "No item sells more than its history explains."
    worst = offending.row(0, named=True)
    rest = f" and {len(offending) - 1} more" if len(offending) > 1 else ""
    return (
        f"Item {worst['item_id']} sold {worst['sales']} in the hour of {worst['hour']} UTC, "
        f"expected {worst['expected']:.1f} ({worst['ratio']:.1f}x){rest}."
    )
