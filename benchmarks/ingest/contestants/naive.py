"""(c) The loop of most demos: poll one, json.loads, collect 10,000 Python rows, insert, commit.

Run as a program it is that loop: `python -m benchmarks.ingest.contestants.naive EVENTS`.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from confluent_kafka import Consumer, Message

from benchmarks.ingest.contestants import Program
from contracts.clickhouse import connect
from contracts.event import LANDING_COLUMNS, TEXT_FIELDS
from contracts.names import RAW_EVENTS
from contracts.settings import Settings, load_settings

_BATCH: Final = 10_000
_FIELDS: Final = ("event_id", "event_type", "event_time", "event_utc_offset", "user_id", *TEXT_FIELDS)
_COLUMNS: Final = (*_FIELDS, "price", "quantity", "properties", *LANDING_COLUMNS)


class Naive:
    """The loop below, in a process of its own.

    Args:
        events: how many there are; the loop of a demo would not end.
    """

    name = "naive"

    def __init__(self, events: int) -> None:
        self._events = events
        self._process: Program | None = None

    def start(self, settings: Settings) -> list[int]:
        """Start the process; return its id."""
        self._process = Program(settings, "benchmarks.ingest.contestants.naive", str(self._events))
        return [self._process.pid]

    def stop(self) -> None:
        """Wait until it has read them all."""
        if self._process:
            self._process.finish()


def row(message: Message) -> list[Any]:
    """Return the row of an event, in the order of the columns."""
    event = json.loads(message.value() or b"")
    moment = datetime.fromisoformat(event["timestamp"])
    offset = moment.utcoffset()
    price = event.get("price")
    properties = event.get("properties")
    return [
        event["event_id"],
        event["event_type"],
        moment,
        int(offset.total_seconds()) // 60 if offset else 0,
        event["user_id"],
        *[event.get(name, "") for name in TEXT_FIELDS],
        None if price is None else Decimal(str(price)),
        event.get("quantity"),
        json.dumps(properties, separators=(",", ":"), ensure_ascii=False) if properties else "",
        message.topic(),
        message.partition(),
        message.offset(),
        datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC),
        datetime.now(UTC),
    ]


def main() -> None:
    """Read as many events as the command line says, and insert them."""
    events, settings = int(sys.argv[1]), load_settings()
    client = connect(settings)
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_broker_url,
            "group.id": settings.kafka_group_id,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([settings.kafka_topic])
    rows: list[list[Any]] = []
    read = 0
    while read < events:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        rows.append(row(message))
        read += 1
        if len(rows) >= _BATCH or read == events:
            client.insert(RAW_EVENTS, rows, column_names=_COLUMNS)
            consumer.commit(asynchronous=False)
            rows = []
    consumer.close()


if __name__ == "__main__":
    main()
