"""New rows every second, as the ingest workers would land them, so that every run has something to do."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Final

from contracts.clickhouse import connect, mapped_errors
from contracts.errors import RetryLater
from contracts.settings import Settings

# Visits of two minutes with an event every five seconds, each of somebody among so many users.
USERS: Final = 200_000
_VISIT_SECONDS: Final = 120
_EVENT_SECONDS: Final = 5
_PARTITIONS: Final = 8
_INSERT: Final = """
INSERT INTO raw.events (event_id, event_type, event_time, user_id, session_id, item_id, item_category, page_url,
    device_type, price, quantity, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, ingested_at)
WITH
    now64(6) - toIntervalMillisecond(rand(4) % {milliseconds:UInt64}) AS at,
    cityHash64(intDiv(toUnixTimestamp(at), {visit:UInt64}), rand(1) % {visitors:UInt64}) AS visitor,
    visitor % {users:UInt64} AS u, rand(2) % 1000 AS i, rand(3) % 100 AS kind
SELECT generateUUIDv4(), multiIf(kind < 60, 'page_view', kind < 90, 'click', kind < 98, 'add_to_cart', 'purchase'),
    at, concat('user_', toString(u)), hex(visitor), concat('item_', toString(i)), 'shoes',
    concat('/p/', toString(i)), 'mobile', toDecimal64(19.99, 6), 1, 'bench-cadence',
    number % {partitions:UInt64}, {offset:UInt64} + intDiv(number, {partitions:UInt64}), now64(3), now64(3)
FROM numbers({count:UInt64})
"""
_HISTORY_SECONDS: Final = 7 * 86_400


class Feed:
    """Lands `rate` events a second from its start to its stop.

    Args:
        settings: where ClickHouse is.
        rate: events a second.

    """

    def __init__(self, settings: Settings, rate: int) -> None:
        self._settings = settings
        self._rate = rate
        self._offset = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._land, name="feed", daemon=True)

    def history(self, events: int) -> None:
        """Land what has happened in the last week."""
        self._insert(events, _HISTORY_SECONDS)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _land(self) -> None:
        while not self._stop.wait(1):
            with suppress(RetryLater):  # a busy server: the next second brings more
                self._insert(self._rate, 1)

    def _insert(self, count: int, seconds: int) -> None:
        values = {
            "count": count,
            "offset": self._offset,
            "milliseconds": seconds * 1_000,
            "visitors": max(1, count * _EVENT_SECONDS // seconds),
            "visit": _VISIT_SECONDS,
            "users": USERS,
            "partitions": _PARTITIONS,
        }
        with connect(self._settings) as client, mapped_errors():
            client.command(_INSERT, parameters=values)
        self._offset += -(-count // _PARTITIONS)
