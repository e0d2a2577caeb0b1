"""A check of rates by segment and hour: from rows of ClickHouse to a verdict that explains itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from orchestration.checks.check_info import CheckInfo
from orchestration.checks.explain import Chart, Evidence, markdown_table, verdict
from orchestration.checks.item_sales_statistics import Judged, Rule
from orchestration.checks.rates import Direction, Period, Rates, judge_rates

_CHART_PERIODS = 48


@dataclass(frozen=True)
class Subject:
    """What a check of rates is about, in words.

    Args:
        check: the check.
        segment: what a segment is, such as "category".
        count, exposure: what is counted, and of what: "purchases", "views".
        direction: which way is looked.
        least_history: periods with something in them before anything is judged.

    """

    check: CheckInfo
    segment: str
    count: str
    exposure: str
    direction: Direction
    least_history: int = 24


@dataclass(frozen=True)
class Series:
    """Counts and exposures by segment and period.

    Args:
        segments: names.
        times: starts of the periods, the judged one last.
        rates: the periods before.
        now: the judged one.

    """

    segments: Sequence[str]
    times: Sequence[datetime]
    rates: Rates
    now: Period


def series(rows: pl.DataFrame, until: datetime, step: timedelta, periods: int) -> Series:
    """Return the series of rows (segment, period, count, exposure); a period without a row is 0 of 0.

    Args:
        rows: at most one row a segment and period; periods start at whole multiples of `step` before `until`.
        until: start of the judged period (UTC).
        step: length of a period.
        periods: periods before the judged one.

    """
    times = [until - step * ago for ago in range(periods, -1, -1)]
    names = sorted(rows["segment"].unique().to_list())
    grid = np.zeros((2, len(times), len(names)))
    places = {name: place for place, name in enumerate(names)}
    for segment, period, count, exposure in rows.select("segment", "period", "count", "exposure").iter_rows():
        ago = round((until - period) / step)
        if 0 <= ago <= periods:
            grid[:, periods - ago, places[segment]] = (count, exposure)
    return Series(names, times, Rates(grid[0, :-1], grid[1, :-1]), Period(grid[0, -1], grid[1, -1]))


def segments_verdict(subject: Subject, found: Series, rule: Rule, upstream: str = "") -> dg.AssetCheckResult:
    """Return the check's result; what is remarkable is held back while something `upstream` explains it."""
    seen = int((found.rates.exposures.sum(axis=1) > 0).sum()) if found.segments else 0
    if seen < subject.least_history or found.now.exposures.sum() <= 0:
        return _too_little(subject, found, seen)
    judged = judge_rates(found.rates, found.now, rule, subject.direction)
    order = np.argsort(np.where(judged.hit, judged.p, 2.0), kind="stable")
    hits = [int(place) for place in order if judged.hit[place]]
    worst = hits[0] if hits else int(np.argmin(judged.p))
    evidence = Evidence(
        window=_window(found),
        detector=(
            f"negative binomial tail of the {subject.count} expected of the {subject.exposure}, {rule.ratio:g} times "
            f"off or more, from {rule.floor} on, Benjamini-Hochberg across {len(found.segments)} "
            f"({100 * rule.false_share:g} %)"
        ),
        observed=float(found.now.counts[worst]),
        expected=float(judged.expected[worst]),
        sample_size=int(found.now.exposures.sum()),
        table=_table(subject, found, judged, hits),
        items=tuple(found.segments[place] for place in hits),
        chart=_chart(found, judged, worst, rule, subject.direction),
        held_back=upstream if hits else "",
    )
    sentence = _sentence(subject, found, judged, hits)
    return verdict(subject.check, passed=not hits or bool(upstream), sentence=sentence, evidence=evidence, error=False)


def _too_little(subject: Subject, found: Series, seen: int) -> dg.AssetCheckResult:
    evidence = Evidence(window=_window(found), detector="none yet", sample_size=seen)
    sentence = (
        f"Not enough to compare with: {seen} periods with {subject.exposure}, {subject.least_history} are needed."
        if seen < subject.least_history
        else f"No {subject.exposure} in the period."
    )
    return verdict(subject.check, passed=True, sentence=sentence, evidence=evidence, error=False)


def _window(found: Series) -> str:
    step = found.times[1] - found.times[0] if len(found.times) > 1 else timedelta(hours=1)
    return f"{found.times[-1]:%Y-%m-%d %H:%M} to {found.times[-1] + step:%Y-%m-%d %H:%M} UTC"


def _table(subject: Subject, found: Series, judged: Judged, hits: list[int]) -> str:
    if not hits:
        return ""
    rows: list[tuple[Any, ...]] = [
        (
            found.segments[place],
            float(found.now.counts[place]),
            float(judged.expected[place]),
            f"{found.now.counts[place] / judged.expected[place]:.2f}",
            float(found.now.exposures[place]),
            f"{judged.p[place]:.1e}",
        )
        for place in hits
    ]
    head = (subject.segment, f"{subject.count}:", "expected:", "ratio:", f"{subject.exposure}:", "p:")
    return markdown_table(head, rows)


def _chart(found: Series, judged: Judged, place: int, rule: Rule, direction: Direction) -> Chart:
    exposures = np.append(found.rates.exposures[:, place], found.now.exposures[place])
    counts = np.append(found.rates.counts[:, place], found.now.counts[place])
    rate = judged.expected[place] / max(found.now.exposures[place], 1e-9)
    expected = (rate * exposures)[-_CHART_PERIODS:]
    limit = expected / rule.ratio if direction == "down" else expected * rule.ratio
    times = [moment.isoformat() for moment in found.times[-_CHART_PERIODS:]]
    return Chart(times, counts[-_CHART_PERIODS:].tolist(), expected.tolist(), limit.tolist())


def _sentence(subject: Subject, found: Series, judged: Judged, hits: list[int]) -> str:
    if not hits:
        return f"No {subject.segment} has remarkable {subject.count} for its {subject.exposure}."
    worst = hits[0]
    count, expected = found.now.counts[worst], judged.expected[worst]
    rest = f" and {len(hits) - 1} more" if len(hits) > 1 else ""
    name = f"{subject.segment.capitalize()} {found.segments[worst] or '(none)'}"
    return (
        f"{name} had {count:,.0f} {subject.count} of {found.now.exposures[worst]:,.0f} {subject.exposure}, "
        f"expected {expected:,.1f} ({count / expected:.2f}x){rest}."
    )
