"""Both ways at each cadence, on the same data and machine, one after the other; then, if asked for, the whole path.

`python -m benchmarks.cadence`: a million rows of history and 500 new rows a second, into a ClickHouse of its own. A run
is asked for by the clock, whether or not the last one has ended. Writes var/bench/cadence.json.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.cadence.feed import Feed
from benchmarks.cadence.measure import Cadence, measure, warm
from benchmarks.cadence.soak import soak
from benchmarks.cadence.ways import WAYS, running
from contracts.clickhouse import connect
from contracts.settings import Settings
from local.paths import ROOT
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate
from streaming.produce.record import write_json
from tests.tables import drop_models

RATE: Final = 500
Figures = dict[str, dict[str, Any]]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cadences", default="5:6,15:6,60:3", help="seconds:runs, one or more")
    parser.add_argument("--ways", default="stock,millrace", help="which of stock,millrace")
    parser.add_argument("--history", type=int, default=1_000_000, help="events that are there before")
    parser.add_argument("--soak", type=float, default=0.0, help="minutes of the whole path afterwards")
    parser.add_argument("--rate", type=int, default=2_000, help="events a second of the whole path")
    given = parser.parse_args()
    cadences = [Cadence(float(one.split(":")[0]), int(one.split(":")[1])) for one in given.cadences.split(",")]
    report: dict[str, Any] = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
    with tempfile.TemporaryDirectory(prefix="millrace-cadence-") as folder:
        if cadences and given.ways:
            report |= compare(Path(folder), given.ways.split(","), cadences, given.history)
        if given.soak:
            report["soak"] = soak(Path(folder) / "soak", given.soak, given.rate)
            report["event_to_fct_p95_s"] = report["soak"]["event_to_fct_p95_s"]
    target = ROOT / "var" / "bench" / "cadence.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, report)
    _print(report)


def compare(folder: Path, ways: list[str], cadences: list[Cadence], history: int) -> dict[str, Any]:
    """Return the figures by way and cadence, and the two that sum them up."""
    http, native = free_ports(2)
    server = RunningService(clickhouse_service(folder / "clickhouse", http, native), folder)
    server.start()
    try:
        server.wait_ready()
        settings = Settings(
            _env_file=None, millrace_home=folder, clickhouse_host="127.0.0.1", clickhouse_port=http,
            clickhouse_native_port=native,
        )  # fmt: skip
        with connect(settings) as client:
            migrate(client, settings)
        feed = Feed(settings, RATE)
        feed.history(history)
        with feed:
            figures = {name: _way(name, folder, settings, server, cadences) for name in ways}
    finally:
        server.kill()
    return {"ways": figures, **summary(figures)}


def summary(figures: dict[str, Figures]) -> dict[str, float | None]:
    """Return this project's p95 at its fastest cadence, and how many times longer the stock way takes.

    Compared is the p95 at the fastest cadence at which the stock way keeps up, where it does at any.
    """
    ours, stock = figures.get("millrace", {}), figures.get("stock", {})
    fastest = min(ours, key=float, default=None)
    kept = [cadence for cadence in sorted(stock, key=float) if stock[cadence]["keeps_up"] and cadence in ours]
    ratio = None
    if kept:
        ratio = round(stock[kept[0]]["end_to_end_s_p95"] / ours[kept[0]]["end_to_end_s_p95"], 2)
    return {
        "p95_end_to_end_s": ours[fastest]["end_to_end_s_p95"] if fastest else None,
        "ratio_vs_stock": ratio,
        "ratio_at_cadence_s": float(kept[0]) if kept else None,
    }


def _way(name: str, folder: Path, settings: Settings, clickhouse: RunningService, cadences: list[Cadence]) -> Figures:
    process = psutil.Process(clickhouse.pid)
    with connect(settings) as client:
        drop_models(client)
    found: Figures = {}
    with running(WAYS[name], folder, settings) as server:
        warm(server)  # this run builds the history, the next one finds what stays warm
        warm(server)
        for cadence in cadences:
            sys.stdout.write(f"{name}: a run every {cadence.seconds:g} s, {cadence.runs} times\n")
            sys.stdout.flush()
            found[f"{cadence.seconds:g}"] = measure(server, process, cadence)
            if clickhouse.exit_code is not None:
                raise SystemExit(f"ClickHouse ended with code {clickhouse.exit_code}: {clickhouse.last_line()}")
    return found


def _print(report: dict[str, Any]) -> None:
    for way, cadences in report.get("ways", {}).items():
        for cadence, figures in cadences.items():
            sys.stdout.write(f"{way} every {cadence} s\n")
            for name, value in figures.items():
                sys.stdout.write(f"    {name:36} {value}\n")
    for name, value in {**report, **report.get("soak", {})}.items():
        if not isinstance(value, dict):
            sys.stdout.write(f"{name:40} {value}\n")


if __name__ == "__main__":
    main()
