"""A decoded event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from contracts.event import QUANTITY_LIMIT

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

NO_PROPERTIES: Final = msgspec.Raw(b"")


class Window(NamedTuple):
    """The event times that are taken, both ends included."""

    earliest: datetime
    latest: datetime


class Event(msgspec.Struct, gc=False):
    """One decoded event.

    `timestamp` is zone-aware, `price` is exact and fits its column, and `properties` is the JSON text of an
    object, or empty for none. An absent text is ''.
    """

    event_id: UUID
    event_type: str
    timestamp: datetime
    user_id: str
    session_id: str = ""
    item_id: str = ""
    item_category: str = ""
    currency: str = ""
    page_url: str = ""
    referrer: str = ""
    user_agent: str = ""
    ip_address: str = ""
    country: str = ""
    device_type: str = ""
    device_name: str = ""
    viewport_size: str = ""
    search_query: str = ""
    element_id: str = ""
    experiment_name: str = ""
    experiment_variation: str = ""
    price: Decimal | None = None
    quantity: int | None = None
    properties: msgspec.Raw = NO_PROPERTIES


def fits_quantity(quantity: int) -> bool:
    """Tell whether `quantity` fits its column."""
    return -QUANTITY_LIMIT <= quantity <= QUANTITY_LIMIT


def quoted(value: object, length: int = 60) -> str:
    """Return `value` shortened for an error text; never fails on what cannot be encoded."""
    text = value if isinstance(value, str) else repr(value)
    short = text if len(text) <= length else text[:length] + "…"
    return short.encode("utf-8", "replace").decode()


def listed(names: Sequence[str]) -> str:
    """Return names as an enumeration for a sentence."""
    return ", ".join(names)
