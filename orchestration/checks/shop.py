"""Conversion, revenue and funnel steps: what became of the views, the purchases and the users of a step."""

from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg
import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.settings import Settings, load_settings
from orchestration.checks.catalogue import CONVERSION, FUNNEL_STEPS, REVENUE
from orchestration.checks.check_info import asset_check
from orchestration.checks.item_sales import HISTORY_HOURS
from orchestration.checks.item_sales_statistics import Rule
from orchestration.checks.neighbours import reading
from orchestration.checks.segments import Series, Subject, segments_verdict, series
from orchestration.checks.upstream import held_back_by
from orchestration.resources.clickhouse import ClickHouse

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_FUNNEL_DAYS: Final = 28
# A funnel's attempt may take a day: those of the day before yesterday are over.
_FUNNEL_CLOSED: Final = timedelta(days=2)
_CONVERSION: Final = Subject(CONVERSION, "category", "purchases", "views", "both")
_REVENUE: Final = Subject(REVENUE, "category", "average sales' worth of revenue", "views", "both")
_FUNNELS: Final = Subject(FUNNEL_STEPS, "step", "users", "users of the step before", "both", least_history=7)

# `worth` is the sum of the squares of what single sales brought, as far as the item's average tells.
_HOURS: Final = """
SELECT
    item_category AS segment,
    event_hour,
    toFloat64(sum(views)),
    toFloat64(sum(purchases)),
    toFloat64(sum(revenue)),
    sum(toFloat64(revenue) * toFloat64(revenue) / greatest(purchases, 1)) AS worth
FROM marts.fct_item_hourly
WHERE event_hour >= {since:DateTime('UTC')} AND event_hour <= {hour:DateTime('UTC')}
GROUP BY segment, event_hour
"""
_STEPS: Final = """
SELECT funnel || ', step ' || toString(step) || ': ' || step_name AS segment, funnel, step, entry_date,
    toFloat64(sum(users)) AS users
FROM marts.fct_funnel
WHERE entry_date >= {since:Date} AND entry_date <= {day:Date}
GROUP BY segment, funnel, step, entry_date
"""


@asset_check(CONVERSION)
def conversion_within_expected(context: dg.AssetCheckExecutionContext, clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge purchases per view by category in the last complete hour."""
    now, settings = SystemClock().now(), load_settings()
    hour = last_hour(now)
    with reading(clickhouse) as client:
        found = conversion_series(read_hours(client, hour), hour)
    return segments_verdict(_CONVERSION, found, rate_rule(settings), held_back_by(context.instance, now))


@asset_check(REVENUE)
def revenue_within_expected(context: dg.AssetCheckExecutionContext, clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge revenue per view by category in the last complete hour."""
    now, settings = SystemClock().now(), load_settings()
    hour = last_hour(now)
    with reading(clickhouse) as client:
        found = revenue_series(read_hours(client, hour), hour)
    return segments_verdict(_REVENUE, found, rate_rule(settings), held_back_by(context.instance, now))


@asset_check(FUNNEL_STEPS)
def funnel_steps_within_expected(context: dg.AssetCheckExecutionContext, clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge the share of users who reach each step, on the last day whose attempts are over."""
    now, settings = SystemClock().now(), load_settings()
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - _FUNNEL_CLOSED
    with reading(clickhouse) as client:
        found = funnel_series(client, day)
    return segments_verdict(_FUNNELS, found, rate_rule(settings), held_back_by(context.instance, now))


def last_hour(now: datetime) -> datetime:
    """Return the start of the last complete hour."""
    return now.replace(minute=0, second=0, microsecond=0) - _HOUR


def rate_rule(settings: Settings) -> Rule:
    """Return the limits for rates."""
    return Rule(settings.alert_rate_ratio, settings.alert_sales_min, settings.alert_false_share)


def read_hours(client: Client, hour: datetime) -> pl.DataFrame:
    """Return views, purchases and revenue by category and hour, of the four weeks up to `hour`."""
    parameters = {"hour": hour, "since": hour - _HOUR * HISTORY_HOURS}
    rows = client.query(_HOURS, parameters=parameters, tz_mode="aware").result_rows
    schema: dict[str, Any] = {"segment": pl.String, "period": pl.Datetime("us", "UTC")}
    schema |= dict.fromkeys(("views", "purchases", "revenue", "worth"), pl.Float64)
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def conversion_series(hours: pl.DataFrame, hour: datetime) -> Series:
    """Return purchases of views by category."""
    rows = hours.select("segment", "period", count=pl.col("purchases"), exposure=pl.col("views"))
    return series(rows, hour, _HOUR, HISTORY_HOURS)


def revenue_series(hours: pl.DataFrame, hour: datetime) -> Series:
    """Return revenue of views by category, in units in which it varies as a count does.

    A sum of random amounts has the variance of a count when it is divided by E[amount^2] / E[amount] (a compound
    Poisson sum, e.g. Feller 1971, "An Introduction to Probability Theory", vol. 2, XII.2). The amounts are those of
    the hours before.
    """
    before = hours.filter(pl.col("period") < hour).group_by("segment").agg(pl.sum("worth"), pl.sum("revenue"))
    units = before.select("segment", unit=pl.col("worth") / pl.col("revenue"))
    rows = hours.join(units, on="segment", how="left").select(
        "segment",
        "period",
        count=pl.when(pl.col("unit") > 0).then(pl.col("revenue") / pl.col("unit")).otherwise(0.0).fill_nan(0.0),
        exposure=pl.col("views"),
    )
    return series(rows, hour, _HOUR, HISTORY_HOURS)


def funnel_series(client: Client, day: datetime) -> Series:
    """Return the users of each step of those of the step before it, by day of entry."""
    parameters = {"day": day.date(), "since": (day - _DAY * _FUNNEL_DAYS).date()}
    rows = client.query(_STEPS, parameters=parameters).result_rows
    schema = {"segment": pl.String, "funnel": pl.String, "step": pl.Int64, "day": pl.Date, "users": pl.Float64}
    users = pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
    before = users.select("funnel", "day", step=pl.col("step") + 1, exposure=pl.col("users"))
    steps = users.join(before, on=["funnel", "day", "step"]).select(
        "segment",
        period=pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        count=pl.col("users"),
        exposure=pl.col("exposure"),
    )
    return series(steps, day, _DAY, _FUNNEL_DAYS)
