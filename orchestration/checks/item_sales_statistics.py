"""What an item should have sold in an hour, and which items sold far more: pure functions on frames."""

from __future__ import annotations

from typing import Final

import polars as pl

# Half a sale for every item (Jeffreys' prior for counts): an item that never sold before has an expected
# value that is small and not zero, so that its first burst has a ratio.
_PRIOR: Final = 0.5


def expected_sales(items: pl.DataFrame) -> pl.DataFrame:
    """Add `expected` and `ratio` to one hour's items.

    The level of the hour is taken from all *other* items, so neither a busy hour nor a demo that runs faster
    than its history looks like a spike, and the item's own spike does not raise its own bar:

        share    = (history + 1/2) / sum(history + 1/2)           its part of the preceding hours' sales
        expected = share / (1 - share) * (sum(sales) - sales)     so that expected / (expected + rest) = share
        ratio    = sales / expected

    Args:
        items: one row an item: `sales` in the hour and `history`, its sales in the preceding hours (counts
            of purchases, not units).

    Returns:
        `items` with two more columns. `expected` is null for a shop's only item: there is no rest to
        compare it with.

    """
    weight = pl.col("history") + _PRIOR
    share = weight / weight.sum()
    rest = pl.col("sales").sum() - pl.col("sales")
    expected = pl.when(share < 1).then(share / (1 - share) * rest)
    return items.with_columns(expected=expected).with_columns(
        ratio=pl.when(pl.col("expected") > 0).then(pl.col("sales") / pl.col("expected"))
    )


def remarkable(items: pl.DataFrame, ratio: float, minimum: int) -> pl.DataFrame:
    """Return the items whose sales are at least `ratio` times the expected ones, the worst first.

    Args:
        items: as `expected_sales` takes it.
        ratio: the multiple from which on an item is remarkable, such as 1.5.
        minimum: volume floor: fewer sales than this are never remarkable.

    """
    judged = expected_sales(items)
    chosen = judged.filter((pl.col("sales") >= minimum) & (pl.col("ratio") >= ratio))
    return chosen.sort(["ratio", "item_id"], descending=[True, False])
