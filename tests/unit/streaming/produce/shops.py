"""What the produce tests share besides fixtures: a time range and a way to get messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streaming.produce.encode import Encoder
from streaming.produce.messages import Messages
from streaming.produce.simulator import Shop, history

END = datetime(2026, 3, 12, 18, tzinfo=UTC)
START = END - timedelta(days=3)


def encoded(shop: Shop, count: int) -> Messages:
    """The first batch of a history of `count` events."""
    return Encoder(shop).encode(next(iter(history(shop, START, END, count))))
