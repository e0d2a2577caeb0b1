"""Events and where they lay, as Arrow columns of `raw.events`.

Columns are built once per poll, while the events are still in the processor's cache; a batch then
holds compact columns instead of Python objects, and joining them costs no Python at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter, methodcaller
from typing import Any, Final

import pyarrow as pa

from contracts.event import PRICE_SCALE, TEXT_FIELDS
from streaming.ingest.event import NO_PROPERTIES, Event
from streaming.ingest.records import Message

# DateTime64(3) ends here; a client may stamp its Kafka message with any number.
_LAST_KAFKA_MS: Final = int(datetime(2299, 12, 31, tzinfo=UTC).timestamp() * 1000)
_PRICE: Final = pa.decimal128(18, PRICE_SCALE)
_MICROSECONDS: Final = pa.timestamp("us", "UTC")
MILLISECONDS: Final = pa.timestamp("ms", "UTC")
_TEXTS: Final = tuple((name, attrgetter(name)) for name in ("event_type", "user_id", *TEXT_FIELDS))


def event_columns(events: Sequence[Event], messages: Sequence[Message]) -> pa.RecordBatch:
    """Return the columns of `raw.events` except `ingested_at`, which is stamped when the batch is written.

    Args:
        events: decoded events.
        messages: the message of each event, in the same order.
    """
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
    return pa.RecordBatch.from_pydict(columns | landing_columns(messages))


def landing_columns(messages: Sequence[Message]) -> dict[str, pa.Array]:
    """Return topic, partition, offset and Kafka's timestamp of each message."""
    stamps = [min(max(message.timestamp()[1], 0), _LAST_KAFKA_MS) for message in messages]
    return {
        "kafka_topic": pa.array(_called("topic", messages), pa.string()),
        "kafka_partition": pa.array(_called("partition", messages), pa.uint32()),
        "kafka_offset": pa.array(_called("offset", messages), pa.uint64()),
        "kafka_timestamp": pa.array(stamps, MILLISECONDS),
    }


def _called(name: str, messages: Sequence[Message]) -> list[Any]:
    return list(map(methodcaller(name), messages))


def _offset_minutes(moment: datetime | int) -> int:
    if not isinstance(moment, datetime) or moment.tzinfo is UTC:
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
