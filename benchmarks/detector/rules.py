"""The rules that are compared: ours, the plain ratio, and a z-score of 3; each says which items it would alert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.detector.shop import Floats
from orchestration.checks.item_sales_baseline import Baseline, Sales
from orchestration.checks.item_sales_statistics import Rule, plain, remarkable

Hits: TypeAlias = npt.NDArray[np.bool_]
# The sales of an hour at each look, [looks, items]; the last look is at the complete hour.
Looks: TypeAlias = Floats
Alerts: TypeAlias = Callable[[Looks, Sales, Baseline, Rule], Hits]

_Z: Final = 3.0


def ours(looks: Looks, sales: Sales, baseline: Baseline, rule: Rule) -> Hits:
    """Alert at any look at the running hour, or at the complete hour."""
    del sales
    running = [remarkable(counts, baseline, rule, running=True).hit for counts in looks[:-1]]
    return np.stack([*running, remarkable(looks[-1], baseline, rule, running=False).hit])


def plain_ratio(looks: Looks, sales: Sales, baseline: Baseline, rule: Rule) -> Hits:
    """Alert at the first look at which an item has sold 1.5 times its average hour."""
    del sales
    return np.stack([plain(counts, baseline, rule).hit for counts in looks])


def z_score(looks: Looks, sales: Sales, baseline: Baseline, rule: Rule) -> Hits:
    """Alert when an hour lies three standard deviations of the item's hours above their mean."""
    squares = np.bincount(sales.item, sales.count**2, sales.items) / sales.hours
    deviation = np.sqrt(np.maximum(squares - baseline.average**2, 1e-9))
    return np.asarray((looks >= rule.floor) & (looks >= baseline.average + _Z * deviation))


RULES: Final[dict[str, Alerts]] = {
    "significant (ours)": ours,
    "plain 1.5x the average": plain_ratio,
    "z-score 3": z_score,
}
