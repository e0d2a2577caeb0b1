"""What a worker measures: told once a batch or once a try, never once an event."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts import metrics
from contracts.clickhouse import server_code
from contracts.clock import Clock
from contracts.event import REJECT_REASONS
from contracts.histogram import Histogram
from streaming.ingest.batch import Batch
from streaming.ingest.columns import MILLISECONDS
from streaming.ingest.writer import Writes

Integers = npt.NDArray[np.int64]
NEIGHBOURS: Final = ("clickhouse", "kafka", "partition_offsets")
_NO_CODE: Final = "no_code"
_MICROSECONDS: Final = pa.timestamp("us", "UTC")


class Meters:
    """Totals since the start of one worker. Any thread may tell and read them."""

    def __init__(self) -> None:
        self.events = 0
        self.bytes = 0
        self.batches = 0
        # What is known to be possible shows as 0 from the start: an increase from nothing cannot be seen.
        self.letters: Counter[str] = Counter(dict.fromkeys(REJECT_REASONS, 0))
        self.retries: Counter[tuple[str, ...]] = Counter({(each, _NO_CODE): 0 for each in NEIGHBOURS})
        self.newest_event_us: int | None = None
        self.insert_seconds = Histogram(metrics.INSERT_SECONDS.buckets)
        self.insert_rows = Histogram(metrics.INSERT_ROWS.buckets)
        self.event_to_broker = Histogram(metrics.EVENT_TO_BROKER.buckets)
        self.broker_to_raw = Histogram(metrics.BROKER_TO_RAW.buckets)
        self.event_to_raw = Histogram(metrics.EVENT_TO_RAW.buckets)
        self._lock = threading.Lock()

    def wrote(self, batch: Batch, seconds: float) -> None:
        """Count a batch that is durable; the try that did it took `seconds`."""
        if not batch.rows:
            return
        letters = _by_reason(batch)
        with self._lock:
            self.events += batch.event_rows
            self.bytes += batch.bytes
            self.batches += 1
            self.letters.update(letters)
        self.insert_seconds.add(np.array([seconds]))
        self.insert_rows.add(np.array([float(batch.rows)]))
        if batch.events and batch.stamped_at is not None:
            # As the column has it: in whole milliseconds.
            stamp = int(pa.scalar(batch.stamped_at, MILLISECONDS).value) * 1_000
            self._took(_times(batch, "event_time"), _times(batch, "kafka_timestamp"), stamp)

    def failed(self, neighbour: str, why: str) -> None:
        """Count a try that a neighbour made fail; the number of ClickHouse's error is looked for in `why`."""
        code = server_code(why)
        cause = _NO_CODE if code is None else f"code_{code}"
        with self._lock:
            self.retries[neighbour.lower().replace(" ", "_"), cause] += 1

    def _took(self, happened: Integers, arrived: Integers, stamp: int) -> None:
        """Take the times of a batch's events; all are epoch microseconds, and 0 is an unknown arrival."""
        self.event_to_raw.add(_seconds(stamp - happened))
        newest = min(int(happened.max()), stamp)
        with self._lock:
            self.newest_event_us = max(newest, self.newest_event_us or newest)
        known = arrived > 0
        self.event_to_broker.add(_seconds(arrived[known] - happened[known]))
        self.broker_to_raw.add(_seconds(stamp - arrived[known]))


class MeteredWriter:
    """Puts the meters around a writer, so that neither the writer nor the loop knows of them.

    Args:
        writer: what really writes.
        meters: told of each batch that is durable.
        clock: measures how long it took.
    """

    def __init__(self, writer: Writes, meters: Meters, clock: Clock) -> None:
        self._writer = writer
        self._meters = meters
        self._clock = clock

    def write(self, batch: Batch) -> None:
        """Write the batch, or raise what the writer raises."""
        before = self._clock.monotonic()
        self._writer.write(batch)
        self._meters.wrote(batch, self._clock.monotonic() - before)


def _by_reason(batch: Batch) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in batch.letters:
        for entry in pc.value_counts(part.column("error_class")).to_pylist():
            counts[entry["values"]] += entry["counts"]
    return counts


def _times(batch: Batch, name: str) -> Integers:
    columns = (part.column(name).cast(_MICROSECONDS).cast(pa.int64()) for part in batch.events)
    return np.concatenate([column.to_numpy(zero_copy_only=False) for column in columns])


def _seconds(microseconds: Integers) -> npt.NDArray[np.float64]:
    return np.maximum(microseconds, 0) * 1e-6
