"""The planted sales spike: many people buy the same item of middling popularity for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from streaming.produce import journeys
from streaming.produce.catalogue import CATEGORIES
from streaming.produce.journeys import EVENT, Events
from streaming.produce.options import SpikeOptions
from streaming.produce.simulator import Shop

# A fifth of the way down the ranking: sold regularly, but no best-seller.
_RANK: Final = 0.2
_JOURNEY: Final = (journeys.PAGE_VIEW, journeys.ADD_TO_CART, journeys.PURCHASE)


class Spike:
    """Extra purchases of one item between two moments of the live phase.

    Each is a short session of its own: it sees the item, puts it into the cart and buys it. They come
    on top of the live rate.

    Args:
        shop: whose users buy what.
        options: when and how many; with `after` None there are none.
    """

    def __init__(self, shop: Shop, options: SpikeOptions) -> None:
        self._shop, self._options = shop, options
        self._rng = np.random.default_rng([shop.seed, 7])
        self.item = shop.catalogue.rank(int(len(shop.catalogue.item_ids) * _RANK))
        self.purchases = 0

    def until(self, elapsed: float) -> Events:
        """Return the events that have come due `elapsed` seconds into the live phase, not yet returned."""
        options = self._options
        if options.after is None:
            return np.zeros(0, dtype=EVENT)
        lasted = min(max(elapsed - options.after, 0.0), options.duration)
        new = int(lasted * options.per_second) - self.purchases
        self.purchases += new
        return self._bought(new)

    def ground_truth(self, live_start: datetime) -> dict[str, object] | None:
        """Return which item, when, how many extra purchases so far; None when there is no spike."""
        options, catalogue = self._options, self._shop.catalogue
        if options.after is None:
            return None
        start = live_start + timedelta(seconds=options.after)
        return {
            "item_id": catalogue.item_ids[self.item],
            "item_category": CATEGORIES[int(catalogue.category[self.item])][0],
            "price": str(catalogue.prices[self.item]),
            "start": start.isoformat(),
            "end": (start + timedelta(seconds=options.duration)).isoformat(),
            "per_second": options.per_second,
            "extra_purchases": self.purchases,
        }

    def _bought(self, count: int) -> Events:
        users = self._shop.population.draw(self._rng, count)
        events: Events = np.zeros(count * len(_JOURNEY), dtype=EVENT)
        each = np.repeat(np.arange(count), len(_JOURNEY))
        events["session"] = self._rng.integers(0, 2**64, count, dtype=np.uint64)[each]
        events["noise"] = self._rng.integers(0, 2**64, len(events), dtype=np.uint64)
        events["user"] = users[each]
        events["device"] = self._shop.population.devices[users, 0][each]
        events["item"] = self.item
        events["page"] = journeys.ITEM_PAGES + self.item
        events["kind"] = np.tile(_JOURNEY, count)
        buys = events["kind"] == journeys.PURCHASE
        events["page"][buys] = journeys.CHECKOUT
        events["quantity"][events["kind"] != journeys.PAGE_VIEW] = 1
        return events
