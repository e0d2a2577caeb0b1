"""What an item should have sold in an hour, and which items sold far more or far less: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from orchestration.checks.counts import Floats, anytime_tail, lower_tail, upper_tail
from orchestration.checks.item_sales_baseline import Baseline

Tail: TypeAlias = Callable[[Floats, Floats, Floats], Floats]

# Items that are expected to sell a fifth of the floor and more are tested apart from the many that hardly can.
BUSY_PART: Final = 5.0


@dataclass(frozen=True)
class Rule:
    """When an item is remarkable.

    Args:
        ratio: at least so many times the expected sales; for drops at most this part of them.
        floor: never with fewer sales than this; for drops never with fewer expected ones.
        false_share: of all alerts so many are expected to be false at most.

    """

    ratio: float
    floor: int
    false_share: float


@dataclass(frozen=True)
class Judged:
    """One hour's items: expected sales (nan where nothing is known), p values, and whether each is remarkable."""

    expected: Floats
    dispersion: Floats
    p: Floats
    hit: npt.NDArray[np.bool_]


def expected_sales(counts: Floats, baseline: Baseline, without: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Return what each item should have sold in an hour in which the items sold `counts`.

    The level of the hour is taken from all *other* items, so neither a busy hour nor a demo that runs faster than
    its history looks like a spike, and the item's own spike does not raise its own bar:

        expected = share * (sales of the others) / (shares of the others)

    Args:
        counts: by item, in the judged hour.
        baseline: what history says.
        without: items that say nothing about the level, because they are remarkable themselves.

    Returns:
        nan where the others sold nothing: a shop's only item cannot be compared.

    """
    level = np.ones(counts.shape) if without is None else (~without).astype(np.float64)
    others = (counts * level).sum() - counts * level
    shares = (baseline.share * level).sum() - baseline.share * level
    known = (others > 0) & (shares > 0)
    expected: Floats = np.divide(baseline.share * others, shares, out=np.full(counts.shape, np.nan), where=known)
    return expected


def remarkable(counts: Floats, baseline: Baseline, rule: Rule, *, running: bool) -> Judged:
    """Return which items sold remarkably more than expected, by ratio, by volume and beyond chance.

    Args:
        counts: sales by item in the judged hour.
        baseline: what history says.
        rule: the limits.
        running: the hour is not over: p values that hold however often it is looked at.

    """
    tail = anytime_tail if running else upper_tail
    judged = _judge(counts, baseline, rule, None, tail)
    if judged.hit.any():
        judged = _judge(counts, baseline, rule, judged.hit, tail)
    return judged


def dropped(counts: Floats, baseline: Baseline, rule: Rule, without: npt.NDArray[np.bool_]) -> Judged:
    """Return which items sold remarkably less than expected in a complete hour; `without` are those that sold more."""
    expected = expected_sales(counts, baseline, without)
    spread = _spread(counts, baseline, without)
    usable = np.nan_to_num(expected, nan=1.0)
    p = np.where(np.isnan(expected), 1.0, lower_tail(counts, usable, spread))
    family = usable >= rule.floor
    hit = discoveries(p, family, rule.false_share) & family & (counts <= rule.ratio * usable) & ~np.isnan(expected)
    return Judged(expected, spread, p, hit)


def plain(counts: Floats, baseline: Baseline, rule: Rule) -> Judged:
    """Return which items sold at least `ratio` times their average hour, and at least the floor: no test at all."""
    expected = baseline.average
    hit = (counts >= rule.floor) & (counts >= rule.ratio * expected) & (expected > 0)
    return Judged(expected, np.zeros(counts.shape), np.full(counts.shape, np.nan), hit)


def _judge(counts: Floats, baseline: Baseline, rule: Rule, without: npt.NDArray[np.bool_] | None, tail: Tail) -> Judged:
    expected = expected_sales(counts, baseline, without)
    spread = _spread(counts, baseline, without)
    usable = np.nan_to_num(expected, nan=1.0)
    p = np.where(np.isnan(expected), 1.0, tail(counts, usable, spread))
    busy = usable >= rule.floor / BUSY_PART
    found = discoveries(p, busy, rule.false_share) | discoveries(p, ~busy, rule.false_share)
    hit = found & (counts >= rule.floor) & (counts >= rule.ratio * usable) & ~np.isnan(expected)
    return Judged(expected, spread, p, hit)


def _spread(counts: Floats, baseline: Baseline, without: npt.NDArray[np.bool_] | None) -> Floats:
    """Return the dispersion with the uncertainty of the expected value: of its share, and of the hour's level."""
    level = counts if without is None else counts * ~without
    others = np.maximum(level.sum() - level, 1.0)
    spread: Floats = baseline.dispersion + 1.0 / baseline.information + 1.0 / others
    return spread


def discoveries(p: Floats, family: npt.NDArray[np.bool_], share: float) -> npt.NDArray[np.bool_]:
    """Return the discoveries of one family of tests (Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57)."""
    found = np.zeros(p.shape, dtype=bool)
    if family.any():
        found[family] = stats.false_discovery_control(np.clip(p[family], 0.0, 1.0), method="bh") <= share
    return found
