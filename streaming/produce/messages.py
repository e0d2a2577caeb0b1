"""Messages on their way to Kafka: the bytes, the key, and beside them what the producer knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from contracts.event import FIELDS

# What the record says about each message besides where it landed. `event_time` stands for the field
# `timestamp`; `fault` is '' for an ordinary event; `malformed_as` says how a malformed one is broken.
# Price stays text, so that no reader can take it for a float by accident.
FIELD_TYPES: Final = {
    name: pl.Int64() if name == "quantity" else pl.String()
    for name in FIELDS
    if name not in {"timestamp", "properties"}
}
RECORD_TYPES: Final[dict[str, pl.DataType]] = {
    **FIELD_TYPES,
    "event_time": pl.Datetime("us", "UTC"),
    "fault": pl.String(),
    "malformed_as": pl.String(),
}


@dataclass(frozen=True)
class Messages:
    """A batch of messages; the three parts have the same length and order.

    Args:
        record: columns of `RECORD_TYPES`; of a malformed message only `fault` and `malformed_as` are set.
        keys: Kafka keys (the user's id).
        values: Kafka values; None is a message without a value.
    """

    record: pl.DataFrame
    keys: list[bytes]
    values: list[bytes | None]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, stop: int) -> Messages:
        """Return the messages from `start` up to `stop`."""
        return Messages(self.record[start:stop], self.keys[start:stop], self.values[start:stop])
