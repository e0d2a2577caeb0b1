"""What the hours before say of each item: its share of the shop's sales, and how much it varies; pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.checks.counts import Floats, pooled_dispersion

HOURS_A_DAY: Final = 24
HOURS_A_WEEK: Final = 168
# From so many hours of history on, an item's share is that of the same hours of the week.
SEASONAL_HOURS: Final = 3 * HOURS_A_WEEK
# The same hour of earlier weeks counts with its two neighbours, and the item's share over all hours weighs as much
# as so many sales at most: fewer would bring more noise than they take away (make bench-detector).
_NEIGHBOURS: Final = 1
_MOST_PRIOR_SALES: Final = 200.0
# Half a sale for every item (Jeffreys' prior for counts): an item that never sold before has an expected value
# that is small and not zero, so that its first burst has a ratio.
_HALF: Final = 0.5
# An hour in which an item sold more than three times its share and ten is itself remarkable: it is no history. What
# comes back every day (from three weeks on: every week) at the same hour is.
_OUTLYING_RATIO: Final = 3.0
_OUTLYING_COUNT: Final = 10.0


@dataclass(frozen=True)
class Sales:
    """The sales of the hours before the judged one, one entry an item and hour with sales.

    Args:
        items: number of items.
        hours: number of hours; hour 0 is the oldest, hour `hours` would be the judged one.
        item, hour: which item (from 0) sold in which hour.
        count: how often.

    """

    items: int
    hours: int
    item: npt.NDArray[np.int64]
    hour: npt.NDArray[np.int64]
    count: Floats

    @property
    def level(self) -> Floats:
        """Sales of the whole shop by hour."""
        return np.bincount(self.hour, self.count, self.hours).astype(np.float64)

    @property
    def first_hour(self) -> int:
        """The hour of the shop's first sale; `hours` when there is none."""
        return int(self.hour.min()) if self.hour.size else self.hours


@dataclass(frozen=True)
class Baseline:
    """What history says of each item.

    Args:
        share: its part of the shop's sales, at this hour of the week where there are three weeks.
        information: number of sales that the share rests on.
        dispersion: see `counts`.
        average: sales an hour since the shop's first sale, all hours alike.
        is_seasonal: whether the shares are those of the hour of the week.

    """

    share: Floats
    information: Floats
    dispersion: Floats
    average: Floats
    is_seasonal: bool


def learn(sales: Sales) -> Baseline:
    """Return what the hours before the judged one say of each item."""
    level, first = sales.level, sales.first_hour
    at = level[sales.hour]
    seasonal = sales.hours - first >= SEASONAL_HOURS
    kept = sales.count <= _OUTLYING_RATIO * _rough_share(sales, level, seasonal=seasonal) * at + _OUTLYING_COUNT
    history = _by_item(sales, sales.count * kept)
    share = (history + _HALF) / np.maximum(level.sum() - _by_item(sales, at * ~kept), 1.0)
    squares = (level**2).sum() - _by_item(sales, at**2 * ~kept)
    deviations = _by_item(sales, (sales.count**2 - 2.0 * share[sales.item] * sales.count * at) * kept)
    excess = deviations + share**2 * squares - history
    dispersion = pooled_dispersion(excess, share**2 * squares, sales.hours - first)
    average = _by_item(sales, sales.count) / max(sales.hours - first, 1)
    information = history + _HALF
    if seasonal:
        share, information = _of_this_hour(sales, level, kept, share)
    return Baseline(share, information, dispersion, average, seasonal)


def _rough_share(sales: Sales, level: Floats, *, seasonal: bool) -> Floats:
    """Return for each entry the item's share in all hours, or, if larger, in the other ones at the same time."""
    period = HOURS_A_WEEK if seasonal else HOURS_A_DAY
    overall = _by_item(sales, sales.count) / max(level.sum(), 1.0)
    slot = sales.hour % period
    place = sales.item * period + slot
    sold = np.bincount(place, sales.count, sales.items * period)[place] - sales.count
    offered = np.bincount(np.arange(sales.hours) % period, level, period)[slot] - level[sales.hour]
    recurring = np.divide(sold, offered, out=np.zeros(sold.shape), where=offered > 0)
    rough: Floats = np.maximum(overall[sales.item], recurring)
    return rough


def _of_this_hour(sales: Sales, level: Floats, kept: npt.NDArray[np.bool_], share: Floats) -> tuple[Floats, Floats]:
    """Return the shares at this hour of the week, drawn towards those of all hours, and what they rest on."""
    away = (sales.hours - np.arange(sales.hours)) % HOURS_A_WEEK
    same = np.minimum(away, HOURS_A_WEEK - away) <= _NEIGHBOURS
    counted = same[sales.hour] & kept
    lost = _by_item(sales, level[sales.hour] * (same[sales.hour] & ~kept))
    prior = _prior_sales(sales, level, share)
    sold = _by_item(sales, sales.count * counted) + prior
    return sold / (level[same].sum() - lost + prior / share), sold


def _prior_sales(sales: Sales, level: Floats, share: Floats) -> Floats:
    """Return how many sales an item's share over all hours weighs beside those of one hour of the week.

    One over the variance of its relative shares between the hours of the week (moment estimate): an item that sells
    at midnight only is drawn nowhere, one that sells alike at all times as far as allowed.

    Source: the shape of the gamma prior with that variance (Efron & Morris 1975, JASA 70).
    """
    slot = np.arange(sales.hours) % HOURS_A_WEEK
    of_slot = np.bincount(slot, level, HOURS_A_WEEK)
    place = sales.item * HOURS_A_WEEK + sales.hour % HOURS_A_WEEK
    sold = np.bincount(place, sales.count, sales.items * HOURS_A_WEEK).reshape(sales.items, HOURS_A_WEEK)
    expected = share[:, None] * of_slot
    excess = ((sold - expected) ** 2 - expected).sum(axis=1) / np.maximum((expected**2).sum(axis=1), 1e-12)
    prior: Floats = 1.0 / np.maximum(excess, 1.0 / _MOST_PRIOR_SALES)
    return prior


def _by_item(sales: Sales, weights: Floats) -> Floats:
    return np.bincount(sales.item, weights, sales.items).astype(np.float64)
