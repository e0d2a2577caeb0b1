"""`python -m benchmarks.ingest`: this worker, ClickHouse's Kafka engine, the loop of most demos, and the bound."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from benchmarks.ingest import report
from benchmarks.ingest.calibrate import Calibration, calibrate, untried
from benchmarks.ingest.contestants import Contestant
from benchmarks.ingest.contestants.consume_only import ConsumeOnly
from benchmarks.ingest.contestants.kafka_engine import KafkaEngine
from benchmarks.ingest.contestants.naive import Naive
from benchmarks.ingest.contestants.worker import Worker
from benchmarks.ingest.latency import RATE, measure_latency
from benchmarks.ingest.load import fill
from benchmarks.ingest.run import Stalled, Track, run, run_consumer
from benchmarks.ingest.servers import Servers, running_servers
from benchmarks.ingest.table import Target
from contracts.clickhouse import connect
from local.paths import ROOT
from streaming.produce.record import write_json

# Long enough to tell the tunings apart: the engine's default blocks are flushed every 7.5 s.
_TRIAL_EVENTS: Final = 1_000_000
_QUICK_EVENTS: Final = 300_000
_BEGAN: Final = time.monotonic()


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Args:
        events: in the topic.
        rounds: how often each contestant runs.
        workers: processes of contestant (a).
        trial_events: for each trial of the engine's set-up; 0 tries none and takes 2 consumers.
        latency_seconds: how long the latency run lasts.
    """

    events: int
    rounds: int
    workers: int
    trial_events: int
    latency_seconds: float


def main() -> int:
    """Measure, print, write; 1 when rows were lost or doubled."""
    plan, output = _arguments()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as home, running_servers(Path(home)) as servers:
        figures = measure(plan, servers)
    figures |= {"load": round(before, 2), "cores": os.cpu_count()}
    write_json(output, figures)
    sys.stdout.write(f"\n{report.table(figures)}\nwritten to {output}\n")
    for fault in figures["faults"]:
        sys.stderr.write(f"FAULT: {fault}\n")
    return 1 if figures["faults"] else 0


def measure(plan: Plan, servers: Servers) -> dict[str, Any]:
    """Fill the topics, find the engine's best set-up, run the rounds and the latency run; return the report."""
    client = connect(servers.settings)
    target = Target(client)
    calibration = _calibration(plan, servers, target, client)
    _say(f"filling the topic with {plan.events:,} events")
    size = fill(servers.settings, plan.events)
    track = Track(servers, target, plan.events)
    runs: list[dict[str, Any]] = []
    stalls: list[str] = []
    for turn in range(plan.rounds):
        for contestant in _contestants(plan, client, calibration):
            figures = _run(track, contestant, stalls)
            runs.append(figures | {"round": turn + 1})
            _say(f"round {turn + 1}: {contestant.name} {figures['events_per_s']:,} events/s")
        figures = run_consumer(track, ConsumeOnly(plan.events))
        runs.append(figures | {"round": turn + 1})
        _say(f"round {turn + 1}: consume_only {figures['events_per_s']:,} events/s")
    _say(f"latency at {RATE:,} events/s for {plan.latency_seconds:g} s")
    latency = measure_latency(track, client, plan.latency_seconds)
    return report.summarise(runs, latency) | {
        "events": plan.events,
        "bytes_per_event": round(size, 1),
        "rounds": plan.rounds,
        "workers": plan.workers,
        "medians": report.medians(runs),
        "latency": latency,
        "tunings": {name: str(tuning) for name, tuning in calibration.tunings.items()},
        "faults": report.faults(runs, plan.events),
        "stalls": stalls,
        "trials": calibration.trials,
        "runs": runs,
    }


def _run(track: Track, contestant: Contestant, stalls: list[str]) -> dict[str, Any]:
    """Return a run's figures; one that stalls is noted, and the contestant tries once more."""
    try:
        return run(track, contestant)
    except Stalled as stalled:
        _say(f"once more: {stalled}")
        stalls.append(str(stalled))
    return run(track, contestant)


def _calibration(plan: Plan, servers: Servers, target: Target, client: Client) -> Calibration:
    if not plan.trial_events:
        return untried()
    settings = servers.settings.model_copy(update={"kafka_topic": "bench-trial"})
    fill(settings, plan.trial_events)
    return calibrate(Track(replace(servers, settings=settings), target, plan.trial_events), client, _say)


def _contestants(plan: Plan, client: Client, calibration: Calibration) -> list[Contestant]:
    engines = {tuning: KafkaEngine(client, tuning, name) for name, tuning in reversed(calibration.tunings.items())}
    return [Worker(plan.workers), *reversed(engines.values()), Naive(plan.events)]


def _arguments() -> tuple[Plan, Path]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--events", type=int, default=3_000_000, help="events in the topic (default 3,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contestant, in turn (default 3)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes that share the topic (default 1)")
    parser.add_argument("--latency-seconds", type=float, default=30.0, help="length of the latency run (default 30)")
    parser.add_argument("--quick", action="store_true", help="300,000 events, 1 round, no trials, 10 s of latency")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench" / "ingest.json", help="the JSON report")
    given = parser.parse_args()
    if min(given.events, given.rounds, given.workers, given.latency_seconds) < 1:
        parser.error("--events, --rounds, --workers and --latency-seconds must be at least 1")
    if given.quick:
        events = min(given.events, _QUICK_EVENTS)
        return Plan(events, 1, given.workers, 0, min(given.latency_seconds, 10.0)), given.output
    trial = min(given.events, _TRIAL_EVENTS)
    return Plan(given.events, given.rounds, given.workers, trial, given.latency_seconds), given.output


def _say(text: str) -> None:
    sys.stdout.write(f"{time.monotonic() - _BEGAN:6.1f} s  {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
