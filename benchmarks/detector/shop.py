"""A shop whose truth is known: what each item sells in each hour, and spikes planted into it.

Popularity falls as 1 / rank (Zipf). Traffic has the shape of a week, each item a time of day of its own, every hour
is busier or quieter for all, and each item's rate varies by a random factor from hour to hour on top of chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.checks.item_sales_baseline import HOURS_A_WEEK, Sales

Floats = npt.NDArray[np.float64]
_DAY_SWING: Final = 0.6
_WEEKEND: Final = 1.2
_SHOP_NOISE: Final = 0.1


@dataclass(frozen=True)
class Options:
    """A shop.

    Args:
        weeks: how long it is simulated.
        items: how many it sells.
        sales: sales of an average hour, of all items together.
        most_dispersion: items' hourly factors have variances between 0 and this.
        most_swing: an item's own time of day moves its share up and down by at most this part.

    """

    weeks: int
    items: int = 1_000
    sales: float = 5_000.0
    most_dispersion: float = 0.02
    most_swing: float = 0.2


class Shop:
    """Simulated sales.

    Args:
        options: what kind of shop.
        random: source of all chance.

    """

    def __init__(self, options: Options, random: np.random.Generator) -> None:
        hours = np.arange(options.weeks * HOURS_A_WEEK)
        level = options.sales * _week(hours) * np.exp(random.normal(0, _SHOP_NOISE, hours.size))
        popularity = 1.0 / np.arange(1, options.items + 1)
        phase = random.uniform(0, 24, options.items)
        swing = random.uniform(0, options.most_swing, options.items)
        own = 1.0 + swing * np.sin((hours[:, None] - phase) * (2 * np.pi / 24))
        dispersion = random.uniform(0, options.most_dispersion, options.items) + 1e-6
        #: What each item sells on average in each hour, [hours, items].
        self.mean: Floats = level[:, None] * (popularity / popularity.sum()) * own
        #: The same with the hour's random factor.
        self.rate: Floats = self.mean * random.gamma(1 / dispersion, dispersion, self.mean.shape)
        #: What was sold.
        self.counts: Floats = random.poisson(self.rate).astype(np.float64)
        self._hour, self._item = np.nonzero(self.counts)
        self._count = self.counts[self._hour, self._item]
        self._begin = np.searchsorted(self._hour, np.arange(hours.size + 1))

    def history(self, hour: int, length: int, spiked: dict[tuple[int, int], float] | None = None) -> Sales:
        """Return the sales of the `length` hours before `hour`, with planted ones (hour, item) in their places."""
        since = max(hour - length, 0)
        piece = slice(self._begin[since], self._begin[hour])
        entries = self._hour[piece], self._item[piece], self._count[piece].copy()
        for (when, item), count in (spiked or {}).items():
            if since <= when < hour:
                entries[2][(entries[0] == when) & (entries[1] == item)] = count
        return Sales(self.counts.shape[1], hour - since, entries[1], entries[0] - since, entries[2])


def _week(hours: npt.NDArray[np.int64]) -> Floats:
    """Return the traffic of each hour of the week, 1 on average."""
    shape = 1 + _DAY_SWING * np.sin((hours % 24 - 9) * (2 * np.pi / 24))
    shape *= np.where(hours // 24 % 7 >= 5, _WEEKEND, 1.0)  # noqa: PLR2004 - Saturday and Sunday
    return np.asarray(shape / shape.mean(), dtype=np.float64)
