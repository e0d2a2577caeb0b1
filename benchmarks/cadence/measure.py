"""Ask for runs at a cadence and say what became of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final

import dagster as dg
import psutil

from benchmarks.cadence.ways import Webserver

_GIVE_UP_SECONDS: Final = 600.0
_IDLE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Cadence:
    """Runs to ask for.

    Args:
        seconds: from one request to the next.
        runs: how many.

    """

    seconds: float
    runs: int


def measure(
    server: Webserver, clickhouse: psutil.Process, cadence: Cadence, idle_seconds: float = _IDLE_SECONDS
) -> dict[str, Any]:
    """Return seconds of start, run and both, as p50 and p95, CPU seconds a run, and what piled up.

    CPU seconds are those of Dagster with its runs and of ClickHouse, less what both take without a run, which is
    measured for `idle_seconds` before.
    """
    idle = _idle_rate(server, clickhouse, idle_seconds)
    before, began = _cpu(server, clickhouse), time.monotonic()
    asked: list[str] = []
    waiting: list[int] = []
    for number in range(cadence.runs):
        time.sleep(max(0.0, began + number * cadence.seconds - time.monotonic()))
        asked.append(server.ask())
        waiting.append(_not_ended(server.instance, asked))
    _wait(server.instance, asked)
    took = time.monotonic() - began
    cpu = _cpu(server, clickhouse) - before - idle * took
    records = [record for run in asked if (record := server.instance.get_run_record_by_id(run)) is not None]
    return {
        "asked": len(asked),
        "succeeded": sum(one.dagster_run.status is dg.DagsterRunStatus.SUCCESS for one in records),
        **_times(records),
        "cpu_s_per_run": round(cpu / len(asked), 2),
        "not_ended_max": max(waiting),
        "not_ended_when_the_last_was_asked": waiting[-1],
        "keeps_up": waiting[-1] <= 1 and max(waiting) <= _ALLOWED,
    }


# The run that was just asked for, and one that is about to end.
_ALLOWED: Final = 2


def warm(server: Webserver) -> None:
    """Ask for one run and wait for it: it builds what there is, and starts what stays warm."""
    _wait(server.instance, [server.ask()])


def _times(records: list[dg.RunRecord]) -> dict[str, float | None]:
    created = [one.create_timestamp.timestamp() for one in records]
    done = [
        (made, one.start_time, one.end_time)
        for made, one in zip(created, records, strict=True)
        if one.start_time is not None and one.end_time is not None
    ]
    return {
        **_p50_p95("start_s", [start - made for made, start, _ in done]),
        **_p50_p95("run_s", [end - start for _, start, end in done]),
        **_p50_p95("end_to_end_s", [end - made for made, _, end in done]),
    }


def _p50_p95(name: str, values: list[float]) -> dict[str, float | None]:
    if not values:
        return {f"{name}_p50": None, f"{name}_p95": None}
    cuts = quantiles(values, n=20, method="inclusive") if len(values) > 1 else values * 19
    return {f"{name}_p50": round(cuts[9], 3), f"{name}_p95": round(cuts[18], 3)}


def _not_ended(instance: dg.DagsterInstance, asked: list[str]) -> int:
    runs = instance.get_runs(dg.RunsFilter(run_ids=asked))
    return sum(not run.is_finished for run in runs)


def _wait(instance: dg.DagsterInstance, asked: list[str]) -> None:
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while _not_ended(instance, asked):
        if time.monotonic() > deadline:
            raise SystemExit(f"{_not_ended(instance, asked)} of {len(asked)} runs do not end")
        time.sleep(0.1)


def _idle_rate(server: Webserver, clickhouse: psutil.Process, seconds: float) -> float:
    before, began = _cpu(server, clickhouse), time.monotonic()
    time.sleep(seconds)
    return (_cpu(server, clickhouse) - before) / (time.monotonic() - began)


def _cpu(server: Webserver, clickhouse: psutil.Process) -> float:
    times = clickhouse.cpu_times()
    return server.cpu_seconds() + times.user + times.system
