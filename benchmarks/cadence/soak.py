"""The whole path for minutes: seconds from an event to fct_item, what waits, and whether memory grows."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any, Final

import psutil

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.demo.cadence import Cadence
from local.demo.freshness import FreshnessProbe
from local.launch import Launched
from local.ports import free_ports
from local.stack import Stack
from orchestration.report import runs_waiting

_PARTS: Final = ("clickhouse", "kafka", "slack", "ingest", "dagster")
_SAMPLE_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 30.0
# Of a run's samples: the mean of the last tenth is compared with that of the second, and with that of the sixth, which
# leaves out what is loaded when it is needed first.
_PIECES: Final = 10
# So many events a second are 170 million a day: no shop's twenty thousand users, the simulator's default, send them.
_USERS: Final = 500_000


def soak(home: Path, minutes: float, rate: int) -> dict[str, Any]:
    """Produce `rate` events a second for `minutes` and return what the path made of them."""
    http, native, kafka, dagster, slack = free_ports(5)
    settings = Settings(
        _env_file=None, millrace_home=home, clickhouse_host="127.0.0.1", clickhouse_port=http,
        clickhouse_native_port=native, kafka_broker_url=f"127.0.0.1:{kafka}", dagster_port=dagster,
        ingest_metrics_port=0,
    )  # fmt: skip
    launched = Launched(Stack(settings, slack), _quiet)
    try:
        launched.start(_PARTS)
        return _measure(launched, minutes, rate)
    finally:
        launched.stop()


def _measure(launched: Launched, minutes: float, rate: int) -> dict[str, Any]:
    stack, record = launched.stack, launched.stack.home / "record"
    probe = FreshnessProbe(lambda: connect(stack.settings))
    probe.start()
    seconds = minutes * 60
    launched.supervisor.start(
        stack.job("simulator", "produce", "--rate", str(rate), "--users", str(_USERS), "--duration", f"{seconds:g}")
    )
    began = datetime.now(UTC)
    cadence = Cadence(stack.home / "dagster", began)
    sizes: dict[str, list[float]] = {"daemon": [], "code_server": []}
    waiting = [0]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        launched.supervisor.tick()
        waiting.append(runs_waiting(cadence.instance))
        for name, size in _memory(launched.supervisor.running["dagster"].pid).items():
            sizes[name].append(size)
        time.sleep(_SAMPLE_SECONDS)
    time.sleep(_SETTLE_SECONDS)
    probe.stop()
    settled = datetime.fromtimestamp(began.timestamp() + min(30.0, seconds / 4), UTC)
    p50, p95 = probe.quantiles(record, settled)
    runs = cadence.summary()
    return {
        "minutes": minutes, "events_per_second": rate,
        "event_to_fct_p50_s": p50, "event_to_fct_p95_s": p95,
        "runs": runs.runs, "runs_failed": runs.runs_failed, "runs_waiting_max": max(waiting),
        "end_to_end_s_p50": runs.end_to_end_p50, "end_to_end_s_p95": runs.end_to_end_p95,
        **{f"{name}_{key}": value for name, found in sizes.items() for key, value in _growth(found).items()},
    }  # fmt: skip


def _memory(pid: int | None) -> dict[str, float]:
    """Return the resident megabytes of Dagster's daemon and code server, forked runs left out."""
    found: dict[str, float] = {}
    for process in psutil.Process(pid or os.getpid()).children(recursive=True):
        try:
            words = " ".join(process.cmdline())
            size = process.memory_info().rss / 2**20
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        name = "daemon" if "dagster._daemon" in words else "code_server" if "api grpc" in words else None
        if name:
            found[name] = max(found.get(name, 0.0), size)
    return found


def _growth(sizes: list[float]) -> dict[str, float | None]:
    if len(sizes) < 2 * _PIECES:
        return {"mb_max": round(max(sizes), 1) if sizes else None, "mb_growth": None, "mb_growth_second_half": None}
    piece = len(sizes) // _PIECES
    early, middle, late = mean(sizes[piece : 2 * piece]), mean(sizes[5 * piece : 6 * piece]), mean(sizes[-piece:])
    growth = {"mb_growth": round(late - early, 1), "mb_growth_second_half": round(late - middle, 1)}
    return {"mb_max": round(max(sizes), 1), **growth}


def _quiet(_: str) -> None:
    return None
