"""The shop's catalogue: items with a category, a price and a popularity that follows Zipf's law."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Category, price range in whole units of the shop's currency, and what people search for in it.
CATEGORIES: Final = (
    ("electronics", (15, 900), ("wireless headphones", "usb c cable", "bluetooth speaker", "4k monitor")),
    ("home", (5, 180), ("table lamp", "wool blanket", "storage box", "wall clock")),
    ("kitchen", (4, 140), ("chef knife", "espresso cups", "cast iron pan", "lunch box")),
    ("clothing", (8, 160), ("rain jacket", "linen shirt", "running socks", "winter coat")),
    ("shoes", (20, 220), ("trail running shoes", "leather boots", "sandals", "white sneakers")),
    ("beauty", (3, 90), ("face cream", "shampoo bar", "lip balm", "sunscreen spf 50")),
    ("sports", (6, 260), ("yoga mat", "water bottle", "climbing rope", "tennis balls")),
    ("toys", (4, 110), ("wooden train", "puzzle 1000 pieces", "board game", "plush bear")),
    ("books", (4, 60), ("crime novel", "cookbook", "travel guide", "python programming")),
    ("garden", (3, 200), ("watering can", "tomato seeds", "garden shears", "solar lights")),
)
CURRENCY: Final = "USD"
# Share of an item falls as 1 / rank ** 1.05: a few best-sellers, a long tail, no dead stock.
ZIPF_EXPONENT: Final = 1.05
# The cents shops like; most prices end in 99.
_CENTS: Final = ("99", "99", "99", "95", "50", "49", "00")


@dataclass(frozen=True)
class Catalogue:
    """Items in columns; position i is the same item in each.

    Args:
        item_ids: text identifiers.
        category: index into `CATEGORIES`.
        prices: one unit's price, exact, with two decimals.
        share: each item's share of the product views; sums to 1.
        by_category: item positions grouped by category.
        cumulative: running total of `share` in `by_category` order, for drawing by bisection.
        bounds: where each category starts in `by_category`, and the end.
    """

    item_ids: tuple[str, ...]
    category: NDArray[np.int64]
    prices: tuple[Decimal, ...]
    share: NDArray[np.float64]
    by_category: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    bounds: NDArray[np.int64]

    @property
    def queries(self) -> tuple[str, ...]:
        """Every search query people type, category by category."""
        return tuple(query for _, _, queries in CATEGORIES for query in queries)

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw `size` items by popularity."""
        return self._at(rng.random(size))

    def draw_in(self, rng: np.random.Generator, category: NDArray[np.int64]) -> NDArray[np.int64]:
        """Draw one item by popularity within each given category."""
        edges = np.concatenate(([0.0], self.cumulative))[self.bounds]
        low, high = edges[category], edges[category + 1]
        return self._at(low + rng.random(len(category)) * (high - low))

    def rank(self, position: int) -> int:
        """Return the position of the item with the given popularity rank (0 is the best-seller)."""
        return int(np.argsort(-self.share, kind="stable")[position])

    def _at(self, where: NDArray[np.float64]) -> NDArray[np.int64]:
        found = np.searchsorted(self.cumulative, where, side="right")
        return self.by_category[np.minimum(found, len(self.by_category) - 1)]


def make_catalogue(seed: int, items: int) -> Catalogue:
    """Return the catalogue of `items` items that belongs to `seed`."""
    rng = np.random.default_rng([seed, 1])
    # Round-robin gives every category an item as soon as there are ten; then popularity is shuffled over all.
    category = np.arange(items) % len(CATEGORIES)
    weight = 1.0 / np.arange(1, items + 1) ** ZIPF_EXPONENT
    share = rng.permutation(weight / weight.sum())
    by_category = np.argsort(category, kind="stable")
    counts = np.bincount(category, minlength=len(CATEGORIES))
    cumulative = np.cumsum(share[by_category])
    return Catalogue(
        item_ids=tuple(f"SKU-{number:05d}" for number in range(1, items + 1)),
        category=category,
        prices=tuple(_price(rng, int(index)) for index in category),
        share=share,
        by_category=by_category,
        cumulative=cumulative / cumulative[-1],
        bounds=np.concatenate(([0], np.cumsum(counts))),
    )


def _price(rng: np.random.Generator, category: int) -> Decimal:
    """Draw a price, log-uniform in the category's range: cheap things are common, dear ones rare."""
    low, high = CATEGORIES[category][1]
    whole = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    return Decimal(f"{whole}.{_CENTS[int(rng.integers(len(_CENTS)))]}")
