"""Small random histories with everything that goes wrong on the way, for tests of the marts."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from clickhouse_connect.driver.client import Client

KINDS = ("page_view", "click", "scroll", "add_to_cart", "search", "purchase", "cancellation")
START = datetime(2026, 3, 1, 22, tzinfo=UTC)


def history(seed: int, events: int) -> pl.DataFrame:
    """Return `events` events over two days, a tenth of them sent twice; 12 users or more, one for 20 events."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(events):
        # Few distinct seconds: equal time stamps, pauses around the idle time, hours and days that end.
        at = START + timedelta(seconds=int(rng.integers(0, 100)) * 1_800 + int(rng.integers(0, 3)))
        exposed = rng.random() < 0.2
        rows.append(
            {
                "event_id": str(uuid.UUID(bytes=rng.bytes(16), version=4)),
                "event_type": str(rng.choice(KINDS)),
                "event_time": at,
                "user_id": f"user-{rng.integers(0, max(12, events // 20))}",
                "session_id": str(rng.choice(["", "", "s1", "s2", "s3"])),
                "item_id": str(rng.choice(["", "a", "b", "c", "ü-4"])),
                "item_category": str(rng.choice(["", "shoes", "hats"])),
                "price": str(rng.choice(["19.99", "0.1", "3.333333", ""])),
                "quantity": None if rng.random() < 0.2 else int(rng.integers(-1, 4)),
                "experiment_name": str(rng.choice(["button", "price"])) if exposed else "",
                "experiment_variation": str(rng.choice(["a", "a", "a", "b"])) if exposed else "",
                "device_type": str(rng.choice(["", "mobile", "desktop"])),
                "country": str(rng.choice(["", "DE", "US"])),
                "page_url": str(rng.choice(["", "https://shop.example", "https://shop.example/a?x=1", "/b#top", "/ü"])),
                "referrer": str(rng.choice(["", "https://search.example/"])),
                "user_agent": str(rng.choice(["", "Mozilla/5.0"])) if at.day != START.day else _agent(rng),
                "ip_address": str(rng.choice(["", "192.0.2.1", "192.0.2.7"])),
                "search_query": str(rng.choice(["", "", "hats", "größe 40"])),
                # When Kafka got it: at once, hours or days late, or before it happened by the client's clock.
                "kafka_timestamp": at + timedelta(minutes=int(rng.choice([0, 0, 0, 90, 4_000, -4, -10]))),
            }
        )
    once = pl.DataFrame(rows, schema_overrides={"event_time": pl.Datetime("us", "UTC"), "quantity": pl.Int64})
    return pl.concat([once, once.sample(events // 10, seed=seed)]).sample(fraction=1, shuffle=True, seed=seed)


def _agent(rng: np.random.Generator) -> str:
    return str(rng.choice(["Mozilla/5.0", "ExampleBot/1.0"], p=[0.97, 0.03]))


class Landing:
    """Inserts events into raw.events as ingest does: per partition in offset order.

    Args:
        client: of a server whose raw.events is empty.
        partitions: a user's events go to one partition.
    """

    def __init__(self, client: Client, partitions: int = 3) -> None:
        self._client = client
        self._next = [0] * partitions

    def land(self, events: pl.DataFrame, *, hours_ago: float = 0) -> None:
        """Insert one batch, which a worker stamped so many hours ago."""
        rows = []
        for event in events.to_dicts():
            partition = sum(event["user_id"].encode()) % len(self._next)
            rows.append(
                event
                | {
                    "price": event["price"] or None,
                    "kafka_topic": "t",
                    "kafka_partition": partition,
                    "kafka_offset": self._next[partition],
                    "ingested_at": datetime.now(UTC) - timedelta(hours=hours_ago),
                }
            )
            self._next[partition] += 1
        names = list(rows[0])
        self._client.insert("raw.events", [[row[name] for name in names] for row in rows], column_names=names)
