"""Decode messages: whole chunks on the fast path, and what does not fit it one by one on the tolerant one.

Where JSON repeats a name, the last one counts, in both paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.clock import Clock
from contracts.errors import InvalidEvent
from streaming.ingest.envelope import envelope_of
from streaming.ingest.event import Event, Window
from streaming.ingest.plain import decode_plain
from streaming.ingest.policy import DecodePolicy
from streaming.ingest.tolerant import read_tolerantly

# What an envelope is refused for when nobody recognises it.
_OPAQUE: Final = frozenset({"not_utf8", "not_json", "not_an_object", "missing_field"})


class Decoder:
    """Turns message bytes into events.

    Args:
        clock: tells what lies too far in the future; read once a chunk by `refresh`, not once an event.
        policy: what an event may be.
    """

    def __init__(self, clock: Clock, policy: DecodePolicy | None = None) -> None:
        self._clock = clock
        self._policy = policy or DecodePolicy()
        self.refresh()

    def refresh(self) -> None:
        """Move the latest acceptable time along with the clock."""
        self._window = Window(self._policy.earliest, self._clock.now() + self._policy.ahead)

    def plain(self, values: Sequence[bytes | None]) -> tuple[dict[str, pa.Array], npt.NDArray[np.int64]]:
        """Return the columns of the values that the fast path can read, and their indices."""
        return decode_plain(values, self._window, self._policy.max_bytes)

    def decode(self, value: bytes | None) -> Event:
        """Return the event in one message's value, whatever accepted spelling it has.

        Raises:
            InvalidEvent: the value cannot be an event; its reason is a `RejectReason`.
        """
        if value is None:
            raise InvalidEvent("null_value", "the message has no value")
        if len(value) > self._policy.max_bytes:
            text = f"{len(value)} bytes, at most {self._policy.max_bytes} are taken (INGEST_MAX_EVENT_BYTES)"
            raise InvalidEvent("too_large", text)
        try:
            return read_tolerantly(value, self._window)
        except InvalidEvent as error:
            envelope = envelope_of(value) if error.reason in _OPAQUE else None
            if envelope is None:
                raise
            raise InvalidEvent("unknown_envelope", envelope) from error
