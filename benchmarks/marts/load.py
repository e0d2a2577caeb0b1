"""A history of the simulated shop in raw.events, as the workers would have landed it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from clickhouse_connect.driver.client import Client

from streaming.produce.encode import Encoder
from streaming.produce.simulator import Timed, history, make_shop

USERS: Final = 100_000
ITEMS: Final = 1_000
EVENTS_A_DAY: Final = 250_000
_PARTITIONS: Final = 8
LATE_DAYS: Final = 3
_LATE_SHARE: Final = 0.01
_LATE_MICROSECONDS: Final = LATE_DAYS * 86_400 * 1_000_000
_TYPES: Final = {"event_time": "DateTime64(6, 'UTC')", "kafka_timestamp": "DateTime64(3, 'UTC')"} | {
    "ingested_at": "DateTime64(3, 'UTC')",
    "quantity": "Nullable(Int32)",
    "kafka_partition": "UInt32",
    "kafka_offset": "UInt64",
    "price": "Nullable(String)",
}


class History:
    """Events of a shop with so many a day, whose newest is of now; what comes after `events` is new.

    Args:
        events: length of the history, in events.
        new: events that follow it, for the runs to be timed.
    """

    def __init__(self, events: int, new: int) -> None:
        shop = make_shop(seed=1, users=USERS, items=ITEMS)
        end = datetime.now(UTC).replace(microsecond=0)
        start = end - timedelta(days=(events + new) / EVENTS_A_DAY)
        self._encoder = Encoder(shop)
        self._timed = history(shop, start, end, events + new)
        self._next = np.zeros(_PARTITIONS, dtype=np.uint64)
        self._kept: list[pl.DataFrame] = []
        self._rng = np.random.default_rng(2)

    def load(self, client: Client, events: int) -> int:
        """Insert the next `events` events in blocks like the workers' and return how many there were."""
        done = 0
        with ThreadPoolExecutor(1) as other:
            inserted: Future[None] | None = None
            for block in self._blocks(events):
                landed = self._landed(block)  # while the block before it is inserted
                if inserted is not None:
                    inserted.result()
                inserted = other.submit(_insert, client, landed)
                done += len(block)
            if inserted is not None:
                inserted.result()
        return done

    def load_new(self, client: Client, events: int) -> int:
        """Insert the next `events` events as one landing, 1 % of them up to three days late."""
        block = pl.concat(list(self._blocks(events)))
        late = np.where(self._rng.random(len(block)) < _LATE_SHARE, self._rng.random(len(block)), 0.0)
        shift = pl.Series((late * _LATE_MICROSECONDS).astype(np.int64)).cast(pl.Duration("us"))
        landed = self._landed(block).with_columns(event_time=pl.col("event_time") - shift)
        _insert(client, landed.with_columns(ingested_at=pl.lit(datetime.now(UTC)).cast(pl.Datetime("ms", "UTC"))))
        return len(block)

    def _blocks(self, events: int) -> Iterator[pl.DataFrame]:
        missing = events
        while missing > 0:
            if not self._kept:
                timed = next(self._timed, None)
                if timed is None:
                    return
                self._kept.append(self._frame(timed))
            block = self._kept.pop()
            if len(block) > missing:
                self._kept.append(block[missing:])
            yield block[:missing]
            missing -= min(missing, len(block))

    def _frame(self, timed: Timed) -> pl.DataFrame:
        messages = self._encoder.encode(timed)
        values = pl.Series(messages.values, dtype=pl.Binary).cast(pl.String)
        properties = values.str.extract(r'"properties":(\{.*\})\}$').fill_null("{}")
        return messages.record.drop("fault", "malformed_as").with_columns(properties=properties)

    def _landed(self, block: pl.DataFrame) -> pl.DataFrame:
        """Add the place in Kafka and the times of a pipeline two seconds behind its events."""
        placed = block.with_columns(kafka_partition=(pl.col("user_id").hash(1) % _PARTITIONS).cast(pl.UInt32))
        rank = pl.int_range(pl.len()).over("kafka_partition").cast(pl.UInt64)
        base = pl.Series(self._next)
        placed = placed.with_columns(
            kafka_topic=pl.lit("bench"),
            kafka_offset=rank + pl.lit(base).gather(pl.col("kafka_partition")),
            kafka_timestamp=pl.col("event_time").dt.offset_by("20ms").cast(pl.Datetime("ms", "UTC")),
            ingested_at=pl.col("event_time").dt.truncate("1m").dt.offset_by("62s").cast(pl.Datetime("ms", "UTC")),
        )
        for partition, count in placed["kafka_partition"].value_counts().iter_rows():
            self._next[partition] += np.uint64(count)
        return placed


def _insert(client: Client, frame: pl.DataFrame) -> None:
    names = frame.columns
    kinds = ", ".join(f"{name} {_TYPES.get(name, 'Nullable(String)')}" for name in names).replace("'", "''")
    chosen = ", ".join(_read_as(name) for name in names)
    query = (
        f"INSERT INTO raw.events ({', '.join(names)}) "  # noqa: S608 - names of ours
        f"SELECT {chosen} FROM input('{kinds}') FORMAT ArrowStream"
    )
    sink = io.BytesIO()
    frame.write_ipc_stream(sink, compat_level=pl.CompatLevel.oldest())
    client.command(query, data=sink.getvalue())


def _read_as(name: str) -> str:
    if name == "price":
        return "toDecimal64OrNull(price, 6)"
    if name == "event_id":
        return "toUUID(assumeNotNull(event_id))"
    return name if name in _TYPES else f"ifNull({name}, '')"
