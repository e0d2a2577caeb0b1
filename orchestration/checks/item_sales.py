"""The item-sales check: an item that sells far more in an hour than its share of all sales explains."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import dagster as dg
import numpy as np
import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.settings import Settings, load_settings
from orchestration.checks.catalogue import ITEM_SALES
from orchestration.checks.check_info import asset_check
from orchestration.checks.counts import upper_limit
from orchestration.checks.explain import Chart, Evidence, markdown_table, verdict
from orchestration.checks.item_sales_baseline import HOURS_A_WEEK, Baseline, Sales, learn
from orchestration.checks.item_sales_statistics import Judged, Rule, plain, remarkable
from orchestration.checks.neighbours import reading
from orchestration.checks.upstream import held_back_by
from orchestration.resources.clickhouse import ClickHouse

HISTORY_HOURS: Final = 4 * HOURS_A_WEEK
_CHART_HOURS: Final = 48
# The chart's line above which an hour is out of the ordinary for an item that nobody picked out: 1 in 10,000.
_UNUSUAL: Final = 1e-4

# Hours without sales are left out: most item-hours have views and no sale.
_QUERY: Final = """
SELECT
    item_id,
    anyLast(item_category) AS item_category,
    toFloat64(sumIf(purchases, event_hour = {hour:DateTime('UTC')})) AS sales,
    groupArrayIf(toInt64(dateDiff('hour', {since:DateTime('UTC')}, event_hour)), event_hour < {hour:DateTime('UTC')})
        AS hours,
    groupArrayIf(toFloat64(purchases), event_hour < {hour:DateTime('UTC')}) AS counts
FROM marts.fct_item_hourly
WHERE event_hour BETWEEN {since:DateTime('UTC')} AND {hour:DateTime('UTC')} AND purchases > 0
GROUP BY item_id
ORDER BY item_id
"""


@dataclass(frozen=True)
class HourOfSales:
    """One hour to judge, with the hours before it.

    Args:
        hour: its start, in UTC.
        running: whether it is not over yet.
        items: item_id, item_category and sales, one row an item.
        sales: the hours before it.

    """

    hour: datetime
    running: bool
    items: pl.DataFrame
    sales: Sales

    @property
    def counts(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Sales by item."""
        return self.items["sales"].to_numpy()


@asset_check(ITEM_SALES)
def item_sales_within_expected(context: dg.AssetCheckExecutionContext, clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge the hour before and the running one."""
    now = SystemClock().now()
    with reading(clickhouse) as client:
        hours = [read_hour(client, hour, running=running) for hour, running in hours_to_judge(now)]
    return sales_verdict(hours, load_settings(), held_back_by(context.instance, now))


def hours_to_judge(now: datetime) -> list[tuple[datetime, bool]]:
    """Return the starts of the hours to look at, and whether each is still running.

    A spike that only the complete hour shows stays an alert until the next hour is complete: it would come and go
    every hour if the hour before were judged for a few minutes only.
    """
    current = now.replace(minute=0, second=0, microsecond=0)
    return [(current - timedelta(hours=1), False), (current, True)]


def judge_hour(client: Client, hour: datetime, settings: Settings, *, running: bool = False) -> pl.DataFrame:
    """Return the items that the check would have alerted for one hour of history, the worst first.

    Args:
        client: may read the marts.
        hour: start of the hour, in UTC.
        settings: the rule and its limits.
        running: judge it as an hour that is not over.

    Returns:
        item_id, item_category, hour (text), sales, expected, ratio and p (null under the plain rule).

    Raises:
        clickhouse_connect's errors: the caller maps them (`contracts.clickhouse.mapped_errors`).

    """
    read = read_hour(client, hour, running=running)
    return offending(read, judge(read, learn(read.sales), settings))


def read_hour(client: Client, hour: datetime, *, running: bool) -> HourOfSales:
    """Return an hour's sales by item with those of the four weeks before it."""
    parameters = {"hour": hour, "since": hour - timedelta(hours=HISTORY_HOURS)}
    frame = pl.DataFrame(pl.from_arrow(client.query_arrow(_QUERY, parameters=parameters, use_strings=True)))
    history = frame.select("hours", "counts").with_row_index("item").explode("hours", "counts").drop_nulls()
    sales = Sales(
        items=len(frame),
        hours=HISTORY_HOURS,
        item=history["item"].cast(pl.Int64).to_numpy(),
        hour=history["hours"].cast(pl.Int64).to_numpy(),
        count=history["counts"].cast(pl.Float64).to_numpy(),
    )
    return HourOfSales(hour, running, frame.select("item_id", "item_category", "sales"), sales)


def rule_of(settings: Settings) -> Rule:
    """Return the limits that the settings ask for."""
    return Rule(settings.alert_sales_ratio, settings.alert_sales_min, settings.alert_false_share)


def judge(read: HourOfSales, baseline: Baseline, settings: Settings) -> Judged:
    """Return the hour's items judged by the rule that the settings name."""
    if settings.alert_sales_rule == "plain":
        return plain(read.counts, baseline, rule_of(settings))
    return remarkable(read.counts, baseline, rule_of(settings), running=read.running)


def offending(read: HourOfSales, judged: Judged) -> pl.DataFrame:
    """Return the items that are remarkable, the worst first; `place` is their row in the hour."""
    frame = read.items.with_columns(
        hour=pl.lit(f"{read.hour:%Y-%m-%d %H:%M}"),
        expected=pl.Series(judged.expected, dtype=pl.Float64),
        p=pl.Series(judged.p, dtype=pl.Float64).fill_nan(None),
        place=pl.int_range(pl.len()),
    ).with_columns(ratio=pl.col("sales") / pl.col("expected"))
    hit = pl.Series(judged.hit, dtype=pl.Boolean)
    columns = ("item_id", "item_category", "hour", "sales", "expected", "ratio", "p", "place")
    return frame.filter(hit).select(columns).sort(["ratio", "item_id"], descending=[True, False])


def sales_verdict(hours: list[HourOfSales], settings: Settings, upstream: str = "") -> dg.AssetCheckResult:
    """Return the check's result with the offending items as a table and the worst as a chart.

    A failure is a warning: the numbers are right, it is the shop that is remarkable. It is held back while
    something `upstream` explains it.
    """
    judged = [_Hour(read, settings) for read in hours if read.sales.count.size]
    found = pl.concat([one.offending for one in judged]) if judged else pl.DataFrame()
    found = found.sort(["ratio", "item_id"], descending=[True, False]) if len(found) else found
    worst = next((one for one in judged if len(found) and one.label == found["hour"][0]), None)
    evidence = Evidence(
        window=" and ".join(f"{read.hour:%Y-%m-%d %H:%M}" for read in hours) + " UTC",
        detector=_detector(settings, is_seasonal=any(one.baseline.is_seasonal for one in judged)),
        observed=found["sales"][0] if len(found) else None,
        expected=found["expected"][0] if len(found) else None,
        sample_size=int(sum(read.counts.sum() for read in hours)),
        table=items_table(found) if len(found) else "",
        items=tuple(dict.fromkeys(found["item_id"])) if len(found) else (),
        chart=worst.chart(found["place"][0]) if worst else None,
        held_back=upstream if len(found) else "",
        more={
            "threshold": f"{settings.alert_sales_ratio:g} x expected, from {settings.alert_sales_min} sales on",
            "items_looked_at": sum(len(one.read.items) for one in judged),
        },
    )
    sentence = _sentence(found, comparable=bool(judged))
    passed = not len(found) or bool(upstream)
    return verdict(ITEM_SALES, passed=passed, sentence=sentence, evidence=evidence, error=False)


class _Hour:
    """An hour, judged."""

    def __init__(self, read: HourOfSales, settings: Settings) -> None:
        self.read = read
        self.baseline = learn(read.sales)
        self.judged = judge(read, self.baseline, settings)
        self.offending = offending(read, self.judged)
        self.label = f"{read.hour:%Y-%m-%d %H:%M}"

    def chart(self, place: int) -> Chart:
        """Return the item's last two days: its sales, and what its share of the shop's sales made expect."""
        sales = self.read.sales
        chosen = sales.item == place
        sold = np.bincount(sales.hour[chosen], sales.count[chosen], sales.hours)
        expected = self.baseline.share[place] * sales.level
        now = self.judged.expected[place]
        observed = np.append(sold, self.read.counts[place])[-_CHART_HOURS:]
        expected = np.append(expected, now)[-_CHART_HOURS:]
        spread = np.full(expected.shape, self.judged.dispersion[place])
        upper = upper_limit(np.maximum(expected, 1e-9), spread, _UNUSUAL)
        times = [self.read.hour - timedelta(hours=hours) for hours in reversed(range(len(observed)))]
        iso = [moment.isoformat() for moment in times]
        return Chart(iso, observed.tolist(), expected.tolist(), upper.tolist())


def items_table(found: pl.DataFrame) -> str:
    """Return the offending items as a Markdown table, at most 50."""
    rows = (
        (
            row["item_id"],
            row["item_category"],
            row["hour"],
            int(row["sales"]),
            f"{row['expected']:,.1f}",
            f"{row['ratio']:.1f}",
            "-" if row["p"] is None else f"{row['p']:.1e}",
        )
        for row in found.iter_rows(named=True)
    )
    return markdown_table(("item", "category", "hour (UTC)", "sales:", "expected:", "ratio:", "p:"), rows)


def _detector(settings: Settings, *, is_seasonal: bool) -> str:
    if settings.alert_sales_rule == "plain":
        return f"plain: {settings.alert_sales_ratio:g} times the item's average hour, without a test"
    history = "the same hours of earlier weeks" if is_seasonal else "all hours of the history"
    return (
        f"significant: negative binomial tail against the item's share in {history}, Benjamini-Hochberg across items "
        f"({100 * settings.alert_false_share:g} %), a running hour by evidence that may be looked at all the time"
    )


def _sentence(found: pl.DataFrame, *, comparable: bool) -> str:
    if not comparable:
        return "Not enough history: no sales in the preceding hours to compare with."
    if not len(found):
        return "No item sells more than its history explains."
    worst = found.row(0, named=True)
    rest = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"Item {worst['item_id']} sold {worst['sales']:.0f} in the hour of {worst['hour']} UTC, "
        f"expected {worst['expected']:.1f} ({worst['ratio']:.1f}x){rest}."
    )
