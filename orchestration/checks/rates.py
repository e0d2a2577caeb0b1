"""Rates of segments, such as purchases per view of a category, judged against their own history: pure functions.

The same negative binomial as for items (`counts`): a segment's count has the mean rate * exposure, where the exposure
(views, users, hours) is what could have become counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from orchestration.checks.counts import Floats, lower_tail, pooled_dispersion, upper_tail
from orchestration.checks.item_sales_statistics import Judged, Rule, discoveries

Direction: TypeAlias = Literal["up", "down", "both"]
_HALF: Final = 0.5
# A period that was itself far out of line is no history: more than three times what the rate makes expect, and ten.
_OUTLYING_RATIO: Final = 3.0
_OUTLYING_COUNT: Final = 10.0


@dataclass(frozen=True)
class Rates:
    """Counts and exposures of the periods before the judged one, [periods, segments], the oldest first."""

    counts: Floats
    exposures: Floats


@dataclass(frozen=True)
class Period:
    """Counts and exposures of the judged period, by segment."""

    counts: Floats
    exposures: Floats


def judge_rates(history: Rates, now: Period, rule: Rule, direction: Direction) -> Judged:
    """Return which segments are remarkable, by ratio, by volume and beyond chance.

    Args:
        history: the periods before.
        now: the judged one.
        rule: `ratio` above 1 says how far off is remarkable, up as well as down (1 / ratio).
        direction: which way is looked.

    """
    rate, information, dispersion = _learn(history)
    expected = np.maximum(rate * now.exposures, 1e-9)
    spread = dispersion + 1.0 / information
    low, high = lower_tail(now.counts, expected, spread), upper_tail(now.counts, expected, spread)
    p = {"up": high, "down": low, "both": np.minimum(1.0, 2.0 * np.minimum(low, high))}[direction]
    known = (now.exposures > 0) & (history.exposures.sum(axis=0) > 0)
    family = known & (np.maximum(expected, now.counts) >= rule.floor)
    is_up = (direction != "down") & (now.counts >= rule.ratio * expected)
    is_down = (direction != "up") & (now.counts <= expected / rule.ratio)
    hit = discoveries(p, family, rule.false_share) & family & (is_up | is_down)
    return Judged(np.where(known, expected, np.nan), spread, p, hit)


def _learn(history: Rates) -> tuple[Floats, Floats, Floats]:
    """Return each segment's rate, the counts it rests on, and its dispersion, without the periods far out of line."""
    rough = _rate(history.counts, history.exposures)
    expected = rough * history.exposures
    high = history.counts > _OUTLYING_RATIO * expected + _OUTLYING_COUNT
    low = history.counts * _OUTLYING_RATIO + _OUTLYING_COUNT < expected
    kept: npt.NDArray[np.bool_] = ~(high | low)
    counts, exposures = history.counts * kept, history.exposures * kept
    rate = _rate(counts, exposures)
    mean = rate * exposures
    excess = ((counts - mean) ** 2 - mean).sum(axis=0)
    dispersion = pooled_dispersion(excess, (mean**2).sum(axis=0), int((exposures.sum(axis=1) > 0).sum()))
    return rate, counts.sum(axis=0) + _HALF, dispersion


def _rate(counts: Floats, exposures: Floats) -> Floats:
    rate: Floats = (counts.sum(axis=0) + _HALF) / np.maximum(exposures.sum(axis=0), 1.0)
    return rate
