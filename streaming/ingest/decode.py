"""Decode messages: whole chunks on the fast path, and what does not fit it one by one on the tolerant one.

Where JSON repeats a name, the last one counts, in both paths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.clock import Clock
from contracts.errors import InvalidEvent
from streaming.ingest.event import MAX_AHEAD, MAX_EVENT_BYTES, Event
from streaming.ingest.plain import decode_plain
from streaming.ingest.tolerant import read_tolerantly


class Decoder:
    """Turns message bytes into events.

    Args:
        clock: tells what lies too far in the future; read once a chunk by `refresh`, not once an event.
        max_bytes: larger messages are refused.
    """

    def __init__(self, clock: Clock, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self.refresh()

    def refresh(self) -> None:
        """Move the latest acceptable time along with the clock."""
        self._latest = self._clock.now() + MAX_AHEAD

    def plain(self, values: Sequence[bytes | None]) -> tuple[dict[str, pa.Array], npt.NDArray[np.int64]]:
        """Return the columns of the values that the fast path can read, and their indices."""
        return decode_plain(values, self._latest, self._max_bytes)

    def decode(self, value: bytes | None) -> Event:
        """Return the event in one message's value, whatever accepted spelling it has.

        Raises:
            InvalidEvent: the value cannot be an event; its reason is a `RejectReason`.
        """
        if value is None:
            raise InvalidEvent("null_value", "the message has no value")
        if len(value) > self._max_bytes:
            raise InvalidEvent("too_large", f"{len(value)} bytes, at most {self._max_bytes} are taken")
        return read_tolerantly(value, self._latest)
