"""Shares of filled fields, numbers of distinct values, volume by event type, and bots: each against its own history."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg
import numpy as np
import polars as pl

from contracts.clock import SystemClock
from contracts.settings import Settings, load_settings
from orchestration.checks.catalogue import BOT_SHARE, FIELD_SHARES, FIELD_VALUES, VOLUME
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Evidence, markdown_table, verdict
from orchestration.checks.item_sales_baseline import HOURS_A_WEEK
from orchestration.checks.item_sales_statistics import Rule
from orchestration.checks.neighbours import reading
from orchestration.checks.profiles import BOT, HOUR, LEAST_HOURS, read_profiles
from orchestration.checks.rates import Period, Rates
from orchestration.checks.segments import Series, Subject, segments_verdict, series
from orchestration.checks.upstream import held_back_by
from orchestration.resources.clickhouse import ClickHouse

_HISTORY_HOURS: Final = 4 * HOURS_A_WEEK
# Fewer events than this in an hour are not judged.
_LEAST: Final = 50
_HALF: Final = 0.5
# A number of distinct values is a figure, not a count of chances: three times off is told, from ten values on.
_VALUES_RATIO: Final = 3.0
_LEAST_VALUES: Final = 10
_SHARES: Final = Subject(FIELD_SHARES, "field", "unusual ones", "events", "both", LEAST_HOURS)
_VOLUME: Final = Subject(VOLUME, "event type", "events", "hours like this one", "both", least_history=6)
_BOTS: Final = Subject(BOT_SHARE, "event type", "events of bots", "events", "up", LEAST_HOURS)
# Nothing was profiled yet, so nothing is looked up.
_NO_HOUR: Final = datetime(1970, 1, 1, tzinfo=UTC)


@asset_check(FIELD_SHARES)
def fields_filled_as_usual(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge the shares of filled fields in the newest profiled hour."""
    with reading(clickhouse) as client:
        profiles, hour = read_profiles(client)
    return segments_verdict(_SHARES, share_series(profiles, hour), shift_rule(load_settings()))


@asset_check(FIELD_VALUES)
def field_values_as_usual(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge the numbers of distinct values in the newest profiled hour."""
    with reading(clickhouse) as client:
        return values_verdict(*read_profiles(client))


@asset_check(VOLUME)
def volume_by_event_type(context: dg.AssetCheckExecutionContext, clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge how many events of each type there are, against the same hour of earlier weeks."""
    with reading(clickhouse) as client:
        profiles, hour = read_profiles(client)
    held = held_back_by(context.instance, SystemClock().now())
    return segments_verdict(_VOLUME, volume_series(profiles, hour), shift_rule(load_settings()), held)


@asset_check(BOT_SHARE)
def bot_share(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge how many of the events name a bot as their user agent."""
    with reading(clickhouse) as client:
        profiles, hour = read_profiles(client)
    return segments_verdict(_BOTS, bot_series(profiles, hour), shift_rule(load_settings()))


def shift_rule(settings: Settings) -> Rule:
    """Return the limits for what should stay as it is."""
    return Rule(settings.alert_shift_ratio, _LEAST, settings.alert_false_share)


def share_series(profiles: pl.DataFrame, hour: datetime | None) -> Series:
    """Return, by event type and field, how many events have the field, or lack it where most have it."""
    rows = _with_events(_columns(profiles), profiles)
    keys = ["event_type", "field"]
    usual = rows.group_by(keys).agg(usual=pl.col("filled").sum() / pl.col("events").sum())
    lacking = pl.col("usual") > _HALF
    named = rows.join(usual, on=keys).select(
        pl.format("{}.{}{}", "event_type", "field", pl.when(lacking).then(pl.lit(" missing")).otherwise(pl.lit("")))
        .alias("segment"),
        period=pl.col("hour"),
        count=pl.when(lacking).then(pl.col("events") - pl.col("filled")).otherwise(pl.col("filled")),
        exposure=pl.col("events"),
    )  # fmt: skip
    return _hourly(named, hour)


def bot_series(profiles: pl.DataFrame, hour: datetime | None) -> Series:
    """Return the events of bots among all, by event type and together."""
    rows = _with_events(profiles.filter(pl.col("field") == BOT), profiles)
    by_type = rows.select(segment=pl.col("event_type"), period="hour", count="filled", exposure="events")
    total = by_type.group_by("period").agg(pl.sum("count", "exposure")).with_columns(segment=pl.lit("all events"))
    return _hourly(pl.concat([by_type, total.select(by_type.columns)]), hour)


def volume_series(profiles: pl.DataFrame, hour: datetime | None) -> Series:
    """Return the events of each type in the same hour of earlier weeks and in the hours beside it.

    At least two weeks must lie between the first profiled hour and the judged one, or the series is empty.
    """
    counts = profiles.filter(pl.col("field") == "").select(
        segment=pl.col("event_type"), period="hour", count="filled", exposure=pl.lit(1.0)
    )
    whole = _hourly(counts, hour)
    places = [
        _HISTORY_HOURS - HOURS_A_WEEK * weeks + beside
        for weeks in (4, 3, 2, 1)
        for beside in (-1, 0, 1)
        if _HISTORY_HOURS - HOURS_A_WEEK * weeks + beside >= 0
    ]
    # An hour in which any event came is one in which a type that did not come has 0 events.
    there = (whole.rates.exposures.sum(axis=1) > 0)[places]
    used = [place for place, known in zip(places, there, strict=True) if known]
    ones = np.ones((len(used), len(whole.segments)))
    times = [*[whole.times[place] for place in used], whole.times[-1]]
    now = Period(whole.now.counts, np.full(len(whole.segments), float(whole.now.exposures.sum() > 0)))
    return Series(whole.segments, times, Rates(whole.rates.counts[used], ones), now)


def values_verdict(profiles: pl.DataFrame, hour: datetime | None) -> dg.AssetCheckResult:
    """Return whether fields have about as many distinct values as in hours with about as many events."""
    rows = _with_events(_columns(profiles), profiles)
    rows = rows.filter(pl.col("filled") >= _LEAST)
    keys = ["event_type", "field"]
    now = rows.filter(pl.col("hour") == hour) if hour is not None else rows.clear()
    before = rows.filter(pl.col("hour") < hour) if hour is not None else rows.clear()
    alike = before.join(now.select(*keys, size="filled"), on=keys).filter(
        pl.col("filled").is_between(pl.col("size") / 2, pl.col("size") * 2)
    )
    usual = alike.group_by(keys).agg(usual=pl.col("distinct_values").median(), hours=pl.len())
    judged = now.join(usual.filter(pl.col("hours") >= LEAST_HOURS), on=keys).with_columns(
        ratio=pl.col("distinct_values") / pl.col("usual").clip(lower_bound=1.0)
    )
    seen = pl.max_horizontal("usual", "distinct_values") >= _LEAST_VALUES
    found = judged.filter(seen & ((pl.col("ratio") >= _VALUES_RATIO) | (pl.col("ratio") <= 1 / _VALUES_RATIO)))
    shown = found.sort("ratio", descending=True).select(*keys, "distinct_values", "usual", "ratio").rows()
    names = [f"{kind}.{field}" for kind, field, *_ in shown]
    evidence = Evidence(
        window=f"events of {hour:%Y-%m-%d %H:%M} UTC and the hour after" if hour else "none yet",
        detector=f"{_VALUES_RATIO:g} times the median of hours with about as many events, from {_LEAST_VALUES} on",
        observed=float(shown[0][2]) if shown else None,
        expected=float(shown[0][3]) if shown else None,
        sample_size=len(judged),
        table=markdown_table(("event type", "field", "values:", "usually:", "ratio:"), shown) if shown else "",
        items=tuple(names),
    )
    sentence = (
        f"{names[0]} has {shown[0][2]:,} different values, usually {shown[0][3]:,.0f}."
        if shown
        else f"{len(judged)} fields have about as many different values as usual."
    )
    return verdict(FIELD_VALUES, passed=not shown, sentence=sentence, evidence=evidence, error=False)


def _columns(profiles: pl.DataFrame) -> pl.DataFrame:
    return profiles.filter((pl.col("value_type") == "field") & ~pl.col("field").is_in(["", BOT]))


def _with_events(rows: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    """Add `events`, the number of events of the type in the hour."""
    events = profiles.filter(pl.col("field") == "").select("hour", "event_type", events=pl.col("filled"))
    return rows.join(events, on=["hour", "event_type"])


def _hourly(rows: pl.DataFrame, hour: datetime | None) -> Series:
    return series(rows, hour or _NO_HOUR, HOUR, _HISTORY_HOURS)
