"""What a worker answers over HTTP.

/metrics  what `contracts/metrics.py` lists
/live     200 unless the loop is stuck; one that waits for ClickHouse or Kafka is alive
/ready    200 when it moves events; 503 with the reason while it starts, waits or leaves
/health   all of it as JSON
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from contracts.endpoint import Answer, Place, Routes, answering, exposition, text
from contracts.settings import Settings
from streaming.ingest.exposition import WorkerMetrics
from streaming.ingest.health import Health

# OpenTelemetry's default for an application's own metrics, so scrape configurations often know it.
FIRST_PORT: Final = 9464

log = logging.getLogger("millrace.ingest")


@contextmanager
def serving(settings: Settings, worker: str, health: Health) -> Iterator[None]:
    """Serve while the block runs; nothing where INGEST_METRICS_PORT is 0.

    Raises:
        UserError: the address or the port cannot be had; the message names the setting.
    """
    if settings.ingest_metrics_port == 0:
        yield
        return
    place = Place(settings.ingest_metrics_host, settings.ingest_metrics_port, "INGEST_METRICS", FIRST_PORT)
    with answering(place, routes(worker, health)) as address:
        health.endpoint = address
        log.info("metrics and health: %s/metrics", address)
        try:
            yield
        finally:
            health.endpoint = None


def routes(worker: str, health: Health) -> Routes:
    """Return what each path answers, given the request's Accept header."""

    def live(_: str) -> Answer:
        still = health.stuck_for
        return text(503, f"stuck: no turn of the loop for {still:.0f} s") if still is not None else text(200, "ok")

    def ready(_: str) -> Answer:
        reason = health.not_ready
        return text(503, reason) if reason else text(200, "ok")

    def report(_: str) -> Answer:
        body = json.dumps(_report(worker, health), indent=2, ensure_ascii=False)
        return Answer(200, "application/json", body.encode() + b"\n")

    return {"/metrics": exposition(WorkerMetrics(worker, health)), "/live": live, "/ready": ready, "/health": report}


def _report(worker: str, health: Health) -> dict[str, Any]:
    standing, in_hand = health.standing, health.in_hand
    positions = [
        {"topic": place.topic, "partition": place.number, "next_offset": reading.next_offset, "lag": reading.lag}
        for place, reading in sorted(standing.readings.items())
    ]
    return {
        "worker": worker,
        "live": health.stuck_for is None,
        "ready": not health.not_ready,
        "not_ready_because": health.not_ready,
        **health.report(),
        "positions": positions,
        "unplaced": standing.unplaced,
        "paused": standing.paused,
        "in_hand": {"rows": in_hand.rows, "bytes": in_hand.bytes},
    }
