"""New rows every second, as the ingest workers would land them, so that every run has something to do."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Final

from contracts.clickhouse import connect, mapped_errors
from contracts.errors import RetryLater
from contracts.settings import Settings

_INSERT: Final = """
INSERT INTO raw.events (event_id, event_type, event_time, user_id, session_id, item_id, item_category, page_url,
    device_type, price, quantity, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, ingested_at)
WITH rand(1) % 5000 AS u, rand(2) % 1000 AS i, rand(3) % 100 AS kind
SELECT generateUUIDv4(), multiIf(kind < 60, 'page_view', kind < 90, 'click', kind < 98, 'add_to_cart', 'purchase'),
    now64(6) - toIntervalMillisecond(rand(4) % {milliseconds:UInt64}), concat('user_', toString(u)),
    concat('session_', toString(u)), concat('item_', toString(i)), 'shoes', concat('/p/', toString(i)), 'mobile',
    toDecimal64(19.99, 6), 1, 'bench-cadence', u % 8, {offset:UInt64} + number, now64(3), now64(3)
FROM numbers({count:UInt64})
"""
_HISTORY_MILLISECONDS: Final = 7 * 86_400_000


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
        self._insert(events, _HISTORY_MILLISECONDS)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _land(self) -> None:
        while not self._stop.wait(1):
            with suppress(RetryLater):  # a busy server: the next second brings more
                self._insert(self._rate, 1_000)

    def _insert(self, count: int, milliseconds: int) -> None:
        values = {"count": count, "offset": self._offset, "milliseconds": milliseconds}
        with connect(self._settings) as client, mapped_errors():
            client.command(_INSERT, parameters=values)
        self._offset += count
