"""Planted faults: what goes wrong between honest clients and an analyst, with the truth kept.

Wrong clocks change event times before the event is written; a malformed event replaces a good one;
a duplicate follows its original with the same bytes. Each message is at most one of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streaming.produce.encode import Encoder
from streaming.produce.messages import RECORD_TYPES, Messages
from streaming.produce.options import FaultOptions
from streaming.produce.simulator import Timed

_TIMESTAMP: Final = re.compile(rb'"timestamp":"[^"]*"')
_USER: Final = re.compile(rb'"user_id":"[^"]*"')

#: How an event can be broken. Each takes good bytes; None is a message without a value.
BREAKAGES: Final[dict[str, Callable[[bytes], bytes | None]]] = {
    "not_json": lambda value: value[: len(value) // 2],
    "not_utf8": lambda value: value.replace(b'"page_url":"', b'"page_url":"\xff\xfe', 1),
    "missing_field": lambda value: _USER.sub(b'"visitor":"unknown"', value, count=1),
    "wrong_type": lambda value: value.replace(b'"event_type":"', b'"event_type":[1],"was":"', 1),
    "bad_timestamp": lambda value: _TIMESTAMP.sub(b'"timestamp":"yesterday"', value, count=1),
    "not_an_object": lambda value: b"[" + value + b"]",
    "null_field": lambda value: _USER.sub(b'"user_id":null', value, count=1),
    "null_value": lambda _: None,
}


class FaultyEncoder:
    """Encodes events and plants faults in them, the same ones for the same seed.

    Args:
        encoder: writes the good events.
        options: which faults, and how many.
        seed: of the draw; independent of the events' own.
        users: size of the population, to decide whose clock is wrong.
    """

    def __init__(self, encoder: Encoder, options: FaultOptions, seed: int, users: int) -> None:
        self._encoder, self._options = encoder, options
        self._rng = np.random.default_rng([seed, 5])
        self._skewed = np.random.default_rng([seed, 6]).random(users) < options.skew
        self._broken = 0

    def encode(self, timed: Timed) -> Messages:
        """Return the messages for these events, faults included; duplicates come on top."""
        options, size = self._options, len(timed.events)
        late = self._rng.random(size) < options.late
        skewed = self._skewed[timed.events["user"]] & ~late
        moved = late * round(options.late_hours * 3_600_000) - skewed * round(options.skew_minutes * 60_000)
        messages = self._encoder.encode(Timed(timed.events, timed.times - moved))
        draw = self._rng.random(size)
        malformed = draw < options.malformed
        # The same draw from the other end, so that a broken message is never also sent twice.
        twice = (draw >= 1 - options.duplicate) & ~malformed
        fault = np.select([malformed, late, skewed], ["malformed", "late", "skewed"], "")
        return _repeated(self._break(messages, malformed, fault), twice)

    def _break(self, messages: Messages, malformed: NDArray[np.bool_], fault: NDArray[np.str_]) -> Messages:
        record = messages.record.with_columns(fault=pl.Series(fault, dtype=pl.String))
        where = np.flatnonzero(malformed)
        if len(where) == 0:
            return Messages(record, messages.keys, messages.values)
        names = list(BREAKAGES)
        how = [""] * len(messages)
        for index in where.tolist():
            name = names[self._broken % len(names)]
            self._broken += 1
            how[index] = name
            value = messages.values[index]
            messages.values[index] = BREAKAGES[name](value) if value is not None else None
        kept = {"fault", "malformed_as"}
        broken = pl.Series(malformed)
        record = record.with_columns(malformed_as=pl.Series(how)).with_columns(
            pl.when(broken).then(None).otherwise(pl.col(name)).alias(name) for name in RECORD_TYPES if name not in kept
        )
        return Messages(record, messages.keys, messages.values)


def _repeated(messages: Messages, twice: NDArray[np.bool_]) -> Messages:
    """Return the messages with these sent once more, after all others of the batch."""
    again = np.flatnonzero(twice).tolist()
    if not again:
        return messages
    copies = messages.record[again].with_columns(fault=pl.lit("duplicate"))
    return Messages(
        pl.concat([messages.record, copies]),
        messages.keys + [messages.keys[index] for index in again],
        messages.values + [messages.values[index] for index in again],
    )
