"""How long an event takes from its own timestamp until a SELECT can see its row, at a steady rate.

The simulator produces live, and stamps each event with the moment it is due (the hand-over to Kafka, every
20 ms, comes after that stamp and is in the figure). Meanwhile the highest visible offset of each partition is
asked for every 20 ms. A row counts as visible when the answer that holds its offset has arrived: so each
figure is too long by up to one question, never too short.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from benchmarks.ingest.contestants import Program
from benchmarks.ingest.group import wait_for_assignment
from benchmarks.ingest.load import held_by
from benchmarks.ingest.meter import Meter
from benchmarks.ingest.run import Track, fresh_group
from contracts.names import RAW_EVENTS
from streaming.kafka.topics import ensure_topic

RATE: Final = 5_000
_POLL_SECONDS: Final = 0.02
_LONGEST_TAIL: Final = 30.0
_MARKS: Final = f"SELECT kafka_partition, max(kafka_offset) FROM {RAW_EVENTS} GROUP BY kafka_partition"  # noqa: S608 - constants
_ROWS: Final = (
    "SELECT kafka_partition, kafka_offset, toUnixTimestamp64Micro(event_time) / 1e6, "  # noqa: S608 - constants
    f"toUnixTimestamp64Milli(kafka_timestamp) / 1e3 FROM {RAW_EVENTS} ORDER BY kafka_partition, kafka_offset"
)
_PERCENTILES: Final = {"p50": 50, "p95": 95, "p99": 99, "max": 100}

Sightings = dict[int, list[tuple[int, float]]]


def measure_latency(track: Track, client: Client, seconds: float) -> dict[str, Any]:
    """Run a worker and the simulator side by side for so long; return percentiles in seconds.

    Raises:
        SystemExit: one of them failed, or rows are missing.
    """
    track.target.renew()
    settings = fresh_group(track.servers.settings, kafka_topic="bench-live")
    ensure_topic(settings)
    worker = Program(settings, "cli", "ingest", "--name", "bench-live")
    meter = Meter([worker.pid])
    try:
        wait_for_assignment(settings, settings.kafka_group_id)
        options = ("produce", "--rate", str(RATE), "--interval", "0.02", "--duration", f"{seconds:g}")
        producer = Program(settings, "cli", *options)
        seen = _watch(client, producer, meter)
        producer.finish()
        sent = held_by(settings)
        _wait_for_rest(client, seen, sent)
    finally:
        worker.ask_to_stop()
        worker.finish()
    return _percentiles(client, seen) | {
        "events": sent,
        "seconds": seconds,
        "rss_max_mb": round(meter.rss_bytes / 2**20),
    }


def _watch(client: Client, producer: Program, meter: Meter) -> Sightings:
    seen: Sightings = defaultdict(list)
    while not producer.has_ended():
        _look(client, seen)
        meter.sample()
        time.sleep(_POLL_SECONDS)
    return seen


def _wait_for_rest(client: Client, seen: Sightings, sent: int) -> None:
    deadline = time.monotonic() + _LONGEST_TAIL
    while sum(sightings[-1][0] + 1 for sightings in seen.values()) < sent:
        if time.monotonic() > deadline:
            raise SystemExit(f"latency: not all of {sent:,} events were visible {_LONGEST_TAIL:g} s after the last")
        _look(client, seen)
        time.sleep(_POLL_SECONDS)


def _look(client: Client, seen: Sightings) -> None:
    marks = client.query(_MARKS).result_rows
    # The same wall clock as the events' stamps.
    now = time.time()
    for partition, offset in marks:
        known = seen[partition]
        if not known or known[-1][0] < offset:
            known.append((offset, now))


def _percentiles(client: Client, seen: Sightings) -> dict[str, Any]:
    rows = np.array(client.query(_ROWS).result_rows, dtype=np.float64)
    visible = np.concatenate([_visible(rows[rows[:, 0] == number], seen[number]) for number in sorted(seen)])
    return {
        "from_event_s": _spread(visible - rows[:, 2]),
        "from_broker_s": _spread(visible - rows[:, 3]),
    }


def _visible(rows: NDArray[np.float64], sightings: list[tuple[int, float]]) -> NDArray[np.float64]:
    """Return the time of the first sighting that holds each row's offset."""
    marks = np.array(sightings)
    moments: NDArray[np.float64] = marks[np.searchsorted(marks[:, 0], rows[:, 1]), 1]
    return moments


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(np.percentile(values, rank)), 3) for name, rank in _PERCENTILES.items()}
