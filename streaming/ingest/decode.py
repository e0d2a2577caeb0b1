"""Decode one message: the fast path for events as the contract writes them, the tolerant one for the rest.

The fast path lets msgspec fill a typed struct in one pass over the bytes. Whatever does not fit it (other
spellings, numbers as identifiers, unknown fields, odd time formats, and everything invalid) is read again
by `tolerant`, which either makes the same event of it or says why it cannot be one. Where JSON repeats a
name, the last one counts, in both paths.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from contracts.clock import Clock
from contracts.errors import InvalidEvent
from streaming.ingest.event import (
    EARLIEST,
    EPOCH,
    MAX_AHEAD,
    MAX_EVENT_BYTES,
    NO_PROPERTIES,
    Event,
    fits_price,
    fits_quantity,
)
from streaming.ingest.tolerant import read_tolerantly

_ONE_MS = timedelta(milliseconds=1)


class Decoder:
    """Turns message bytes into events.

    Args:
        clock: tells what lies too far in the future; read once a chunk by `refresh`, not once an event.
        max_bytes: larger messages are refused.
    """

    def __init__(self, clock: Clock, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._fast = msgspec.json.Decoder(Event).decode
        self._latest = EARLIEST
        self._latest_ms = 0
        self.refresh()

    def refresh(self) -> None:
        """Move the latest acceptable time along with the clock."""
        self._latest = self._clock.now() + MAX_AHEAD
        self._latest_ms = (self._latest - EPOCH) // _ONE_MS

    def decode(self, value: bytes | None) -> Event:
        """Return the event in a message's value.

        Raises:
            InvalidEvent: the value cannot be an event; its reason is a `RejectReason`.
        """
        if value is None:
            raise InvalidEvent("null_value", "the message has no value")
        if len(value) > self._max_bytes:
            raise InvalidEvent("too_large", f"{len(value)} bytes, at most {self._max_bytes} are taken")
        try:
            event = self._fast(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return read_tolerantly(value, self._latest)
        return event if self._is_plain(event) else read_tolerantly(value, self._latest)

    def _is_plain(self, event: Event) -> bool:
        """Tell whether the fast path's event needs no second look; sets a numeric `timestamp` to a time."""
        moment = event.timestamp
        if type(moment) is int:
            if not 0 <= moment <= self._latest_ms:
                return False
            event.timestamp = moment = EPOCH + moment * _ONE_MS
        return (
            isinstance(moment, datetime)
            and moment.tzinfo is not None
            and EARLIEST <= moment <= self._latest
            and bool(event.event_type and event.user_id)
            and (event.price is None or fits_price(event.price))
            and (event.quantity is None or fits_quantity(event.quantity))
            and (event.properties is NO_PROPERTIES or _is_object(event.properties))
        )


def _is_object(raw: msgspec.Raw) -> bool:
    # msgspec skips over this text without looking at its encoding, so a broken byte would pass.
    try:
        return str(raw, "utf-8").startswith("{")
    except UnicodeDecodeError:
        return False
