"""Events and where they lay, as Arrow columns of `raw.events`.

Columns are built once per poll, while the events are still in the processor's cache; a batch then
holds compact columns instead of Python objects, and joining them costs no Python at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter, methodcaller
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.event import LANDING_COLUMNS, PRICE_SCALE, RAW_COLUMNS, TEXT_FIELDS
from streaming.ingest.event import NO_PROPERTIES, Event
from streaming.ingest.records import Message

# DateTime64(3) ends here; a client may stamp its Kafka message with any number.
_LAST_KAFKA_MS: Final = int(datetime(2299, 12, 31, tzinfo=UTC).timestamp() * 1000)
_PRICE: Final = pa.decimal128(18, PRICE_SCALE)
_MICROSECONDS: Final = pa.timestamp("us", "UTC")
MILLISECONDS: Final = pa.timestamp("ms", "UTC")
_TEXTS: Final = tuple((name, attrgetter(name)) for name in ("event_type", "user_id", *TEXT_FIELDS))
_TOPIC: Final = methodcaller("topic")
_PARTITION: Final = methodcaller("partition")
_OFFSET: Final = methodcaller("offset")
# The order in which every batch has its columns, so that batches can be joined.
_ORDER: Final = tuple(name for name in RAW_COLUMNS if name != LANDING_COLUMNS[-1])


def event_batch(client: Mapping[str, pa.Array], landing: Landing) -> pa.RecordBatch:
    """Return all columns of `raw.events` except `ingested_at`, which is stamped when the batch is written.

    Args:
        client: the client's columns, from `client_columns` or `decode_plain`.
        landing: of the same messages, in the same order.
    """
    columns = {**client, **landing.columns()}
    return pa.RecordBatch.from_arrays([columns[name] for name in _ORDER], names=list(_ORDER))


def client_columns(events: Sequence[Event]) -> dict[str, pa.Array]:
    """Return the client's columns of `raw.events` for events that were decoded one by one."""
    moments = [event.timestamp for event in events]
    columns: dict[str, pa.Array] = {
        "event_id": pa.array([event.event_id.bytes for event in events], pa.binary(16)),
        "event_time": pa.array(moments, _MICROSECONDS),
        "event_utc_offset": pa.array(list(map(_offset_minutes, moments)), pa.int16()),
        "price": pa.array([event.price for event in events], _PRICE),
        "quantity": pa.array([event.quantity for event in events], pa.int32()),
        "properties": pa.array([_properties(event) for event in events], pa.string()),
    }
    for name, field in _TEXTS:
        columns[name] = pa.array(list(map(field, events)), pa.string())
    return columns


class Landing(NamedTuple):
    """Where messages lay, each field one entry a message.

    Args:
        topics, partitions, offsets: their places.
        stamps: Kafka's timestamps in epoch milliseconds, -1 where there is none.
    """

    topics: Sequence[str]
    partitions: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    stamps: npt.NDArray[np.int64]

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Landing:
        """Return where the messages lay."""
        number = len(messages)
        return cls(
            list(map(_TOPIC, messages)),
            np.fromiter(map(_PARTITION, messages), np.uint32, number),
            np.fromiter(map(_OFFSET, messages), np.int64, number),
            np.fromiter((message.timestamp()[1] for message in messages), np.int64, number),
        )

    def take(self, rows: npt.NDArray[np.int64]) -> Landing:
        """Return the entries of these messages, in their order."""
        topics = [self.topics[row] for row in rows]
        return Landing(topics, self.partitions[rows], self.offsets[rows], self.stamps[rows])

    def columns(self) -> dict[str, pa.Array]:
        """Return the landing columns that both raw tables have."""
        return {
            "kafka_topic": pa.array(self.topics, pa.string()),
            "kafka_partition": pa.array(self.partitions),
            "kafka_offset": pa.array(self.offsets.astype(np.uint64)),
            "kafka_timestamp": pa.array(np.clip(self.stamps, 0, _LAST_KAFKA_MS)).cast(MILLISECONDS),
        }


def _offset_minutes(moment: datetime) -> int:
    if moment.tzinfo is UTC:
        return 0
    offset = moment.utcoffset()
    return int(offset.total_seconds()) // 60 if offset else 0


def _properties(event: Event) -> str:
    raw = event.properties
    if raw is NO_PROPERTIES:
        return ""
    text = str(raw, "utf-8")
    # Absent and empty are the same thing, as for every optional field.
    return "" if text == "{}" else text
