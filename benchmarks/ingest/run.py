"""One run of one contestant, measured from outside and in the same way for all that write rows.

The clock starts when the broker first shows that the contestant's group owns all partitions, and stops
when a SELECT first sees all rows; the broker and the table are asked every 50 ms. So joining the group and
starting a program are not in it, and everything from the first fetch to the last commit of a row is. CPU
seconds are counted over the same time. Consuming only writes no rows: its clock runs inside the process, from
the same assignment to the last chunk in hand.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.ingest.contestants import Contestant
from benchmarks.ingest.contestants.consume_only import ConsumeOnly
from benchmarks.ingest.group import wait_for_assignment
from benchmarks.ingest.meter import Meter
from benchmarks.ingest.servers import Servers
from benchmarks.ingest.table import Target
from contracts.settings import Settings

POLL_SECONDS: Final = 0.05
_STALL_SECONDS: Final = 30.0
_MIB: Final = 2**20


class Stalled(Exception):
    """Rows are missing and none have come for half a minute."""


@dataclass(frozen=True)
class Track:
    """Where the runs take place.

    Args:
        servers: the two servers.
        target: the table.
        events: how many events the topic holds.
    """

    servers: Servers
    target: Target
    events: int


def fresh_group(settings: Settings, **changes: Any) -> Settings:
    """Return the settings with a consumer group that nobody has used."""
    return settings.model_copy(update={"kafka_group_id": f"bench-{uuid.uuid4().hex[:8]}", **changes})


def run(track: Track, contestant: Contestant) -> dict[str, Any]:
    """Let a contestant move the whole topic into a fresh table; return its figures.

    Raises:
        SystemExit: it failed.
        Stalled: it stopped before all rows were there.
    """
    track.target.renew()
    settings = fresh_group(track.servers.settings)
    servers = [Meter([track.servers.clickhouse_pid]), Meter([track.servers.kafka_pid])]
    worker = Meter(contestant.start(settings))
    try:
        began = wait_for_assignment(settings, settings.kafka_group_id)
        meters = [worker, *servers]
        for meter in meters:
            meter.mark()
        curve = _watch(track, meters, began, contestant.name)
    finally:
        contestant.stop()
    landed = track.target.landed()
    seconds = curve[-1][0]
    return {
        "contestant": contestant.name,
        "events_per_s": round(track.events / seconds),
        "seconds": round(seconds, 3),
        **_cpu(meters, track.events),
        "rss_max_mb": round(worker.rss_bytes / _MIB),
        "rows": landed.rows,
        "distinct": landed.distinct,
        "fingerprint": landed.fingerprint,
        "visible": curve,
    }


def run_consumer(track: Track, consumer: ConsumeOnly) -> dict[str, Any]:
    """Let the consumer read the whole topic; return its figures.

    Raises:
        SystemExit: it failed.
    """
    meters = [Meter([track.servers.clickhouse_pid]), Meter([track.servers.kafka_pid])]
    for meter in meters:
        meter.mark()
    worker = Meter(consumer.start(fresh_group(track.servers.settings)))
    while not consumer.has_ended():
        for meter in (worker, *meters):
            meter.sample()
        time.sleep(POLL_SECONDS)
    figures = consumer.figures()
    return {
        "contestant": consumer.name,
        "events_per_s": round(track.events / figures["wall_s"]),
        "seconds": round(figures["wall_s"], 3),
        **_cpu([worker, *meters], track.events),
        "worker_cpu_s_per_million": round(figures["cpu_s"] / track.events * 1e6, 2),
        "rss_max_mb": round(worker.rss_bytes / _MIB),
    }


def _watch(track: Track, meters: list[Meter], began: float, who: str) -> list[tuple[float, int]]:
    """Return when how many rows were visible, in seconds after `began`, up to all of them."""
    curve: list[tuple[float, int]] = []
    moved, rows = time.monotonic(), 0
    while rows < track.events:
        seen, now = track.target.rows(), time.monotonic()
        for meter in meters:
            meter.sample()
        if seen != rows:
            rows, moved = seen, now
            curve.append((round(now - began, 3), rows))
        elif now - moved > _STALL_SECONDS:
            raise Stalled(f"{who}: {rows:,} of {track.events:,} rows, and no more for {_STALL_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    return curve


def _cpu(meters: list[Meter], events: int) -> dict[str, float]:
    names = ("worker", "clickhouse", "kafka")
    return {
        f"{name}_cpu_s_per_million": round(meter.cpu_seconds / events * 1e6, 2)
        for name, meter in zip(names, meters, strict=True)
    }
