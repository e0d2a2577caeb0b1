"""Ordinary weeks for false alerts, planted spikes for recall: the same sales for every rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from benchmarks.detector.rules import RULES, Hits, Looks
from benchmarks.detector.shop import Floats, Shop
from orchestration.checks.item_sales import HISTORY_HOURS
from orchestration.checks.item_sales_baseline import HOURS_A_WEEK, learn
from orchestration.checks.item_sales_statistics import Rule

FACTORS: Final = (2, 3, 5)
# Average sales an hour at the time of the spike.
SPEEDS: Final = {"slow (2 to 10 an hour)": (2.0, 10.0), "fast (10 and more)": (10.0, np.inf)}
SPIKE_HOURS: Final = 3


@dataclass
class Score:
    """What one rule did.

    Args:
        item_hours: (item, hour) pairs that were alerted without a reason.
        incidents: unbroken stretches of hours of those, by item: what people are told of.
        hours: ordinary hours looked at.
        found: for each kind of spike, how many hours after its start each was alerted; inf for never.

    """

    item_hours: int = 0
    incidents: int = 0
    hours: int = 0
    found: dict[tuple[int, str], list[float]] = field(default_factory=lambda: defaultdict(list))


class Trial:
    """One shop's weeks.

    Args:
        shop: the sales.
        rule: the limits, the same for every rule.
        looks: looks at an hour, the last of them when it is complete.
        random: source of chance.

    """

    def __init__(self, shop: Shop, rule: Rule, looks: int, random: np.random.Generator) -> None:
        self._shop, self._rule, self._looks, self._random = shop, rule, looks, random
        self.scores = {name: Score() for name in RULES}
        self._before: dict[str, Hits] = {}

    def run(self, first_hour: int, spike_every: int) -> None:
        """Judge every hour from `first_hour` on, and plant spikes every `spike_every` hours."""
        hours = self._shop.counts.shape[0]
        for hour in range(first_hour, hours):
            self._ordinary(hour)
            if (hour - first_hour) % spike_every == 0 and hour + SPIKE_HOURS <= hours:
                self._spikes(hour)

    def _ordinary(self, hour: int) -> None:
        sales = self._shop.history(hour, HISTORY_HOURS)
        baseline = learn(sales)
        looks = self._at_looks(self._shop.counts[hour])
        for name, alerts in RULES.items():
            hit = alerts(looks, sales, baseline, self._rule).any(axis=0)
            score = self.scores[name]
            score.hours += 1
            score.item_hours += int(hit.sum())
            score.incidents += int((hit & ~self._before.get(name, np.zeros_like(hit))).sum())
            self._before[name] = hit

    def _spikes(self, start: int) -> None:
        """Plant one spike of each kind at once, on different items, for some hours; history has no others."""
        items = dict(self._chosen(start))
        planted: dict[tuple[int, int], float] = {}
        waiting = {(name, kind): np.inf for name in RULES for kind in items}
        for hour in range(start, start + SPIKE_HOURS):
            sales = self._shop.history(hour, HISTORY_HOURS, planted)
            baseline, counts = learn(sales), self._shop.counts[hour].copy()
            for kind, item in items.items():
                counts[item] = planted[hour, item] = self._random.poisson(self._shop.rate[hour, item] * kind[0])
            looks = self._at_looks(counts)
            for name, alerts in RULES.items():
                hits = alerts(looks, sales, baseline, self._rule)
                for kind, item in items.items():
                    if hits[:, item].any():
                        seen = hour - start + (int(hits[:, item].argmax()) + 1) / self._looks
                        waiting[name, kind] = min(waiting[name, kind], seen)
        for (name, kind), hours in waiting.items():
            self.scores[name].found[kind].append(float(hours))

    def _chosen(self, hour: int) -> Iterator[tuple[tuple[int, str], int]]:
        mean, taken = self._shop.mean[hour], set()
        for speed, (low, high) in SPEEDS.items():
            candidates = np.flatnonzero((mean >= low) & (mean < high))
            for factor in FACTORS:
                free = [item for item in candidates if item not in taken]
                if free:
                    taken.add(item := int(self._random.choice(free)))
                    yield (factor, speed), item

    def _at_looks(self, counts: Floats) -> Looks:
        """Return the sales so far at each look, when the hour's sales are spread evenly over it."""
        if self._looks == 1:
            return counts[None, :]
        even = np.full(self._looks, 1.0 / self._looks)
        pieces = self._random.multinomial(counts.astype(np.int64), even)
        return np.asarray(pieces.cumsum(axis=1).T, dtype=np.float64)


def table(scores: dict[str, Score]) -> list[dict[str, Any]]:
    """Return one row a rule: false alerts a week, and for each kind of spike the recall and the usual delay."""
    rows = []
    for name, score in scores.items():
        weeks = score.hours / HOURS_A_WEEK
        row: dict[str, Any] = {
            "rule": name,
            "weeks": round(weeks, 2),
            "false_incidents_a_week": score.incidents / weeks,
            "false_item_hours_a_week": score.item_hours / weeks,
            "spikes": {},
        }
        for (factor, speed), delays in score.found.items():
            hours = np.array(delays)
            row["spikes"][f"{factor}x {speed}"] = {
                "planted": len(delays),
                "recall": float(np.isfinite(hours).mean()),
                "recall_in_first_hour": float((hours <= 1).mean()),
                "median_hours_to_alert": float(np.quantile(hours, 0.5, method="lower")),
            }
        rows.append(row)
    return rows
