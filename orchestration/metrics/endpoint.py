"""What `millrace metrics` answers over HTTP.

/metrics  what `contracts/platform_metrics.py` lists
/targets  the workers of this machine, for Prometheus' http_sd_configs: their ports are their own choice
/live     200
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.clock import SystemClock
from contracts.endpoint import Answer, Place, Routes, answering, exposition, text
from contracts.settings import Settings
from contracts.workers import read_workers
from orchestration.home import open_home
from orchestration.metrics.exporter import Exporter
from orchestration.metrics.from_clickhouse import look_at_clickhouse
from orchestration.metrics.from_dagster import DagsterLook
from orchestration.metrics.from_kafka import look_at_kafka


@contextmanager
def exporting(settings: Settings, dagster_home: Path) -> Iterator[str]:
    """Serve while the block runs; yield the address, as http://host:port.

    Raises:
        UserError: METRICS_HOST or METRICS_PORT cannot be had.
    """
    clock = SystemClock()
    dagster = DagsterLook(lambda: open_home(dagster_home), clock)
    exporter = Exporter(
        {
            "kafka": lambda: look_at_kafka(settings, clock),
            "clickhouse": lambda: look_at_clickhouse(settings, clock),
            "dagster": dagster,
        },
        clock,
    )
    try:
        with answering(
            Place(settings.metrics_host, settings.metrics_port, "METRICS"), _routes(settings, exporter)
        ) as at:
            yield at
    finally:
        exporter.close()
        dagster.close()


def _routes(settings: Settings, exporter: Exporter) -> Routes:
    def targets(_: str) -> Answer:
        body = json.dumps(worker_targets(settings)).encode()
        return Answer(200, "application/json", body)

    return {"/metrics": exposition(exporter), "/targets": targets, "/live": lambda _: text(200, "ok")}


def worker_targets(settings: Settings) -> list[dict[str, object]]:
    """Return where the workers below MILLRACE_HOME serve their metrics; one that left in order is not among them."""
    return [
        {"targets": [str(state["endpoint"]).removeprefix("http://")], "labels": {"worker": name}}
        for name, state in read_workers(settings).items()
        if state.get("endpoint") and state.get("state") != "stopping"
    ]
