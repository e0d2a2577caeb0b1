"""Medians and ratios: as a table for people, as JSON for programs."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

ENGINE: Final = "kafka_engine"
ENGINE_BY_ROW: Final = "kafka_engine_by_row"
_TITLES: Final = {
    "worker": "(a) millrace ingest, exactly once",
    ENGINE: "(b) Kafka engine at its best",
    ENGINE_BY_ROW: "(b') Kafka engine as documented",
    "naive": "(c) json.loads and row inserts",
    "consume_only": "(d) consuming only",
}
_FIGURES: Final = (
    "events_per_s",
    "worker_cpu_s_per_million",
    "clickhouse_cpu_s_per_million",
    "kafka_cpu_s_per_million",
    "rss_max_mb",
)
_DEFINITION: Final = """\
Clock of (a), (b), (c), from outside: from the moment the broker shows that the group owns all partitions until
a SELECT sees every row, both asked every 50 ms; CPU over the same time. Clock of (d): inside the process, from
its assignment to the last chunk in hand. Median of the rounds; each runs all in turn, each into a fresh table.
Latency: from the event's own timestamp until a SELECT can see its row, asked every 20 ms."""


def summarise(runs: list[dict[str, Any]], latency: dict[str, Any]) -> dict[str, Any]:
    """Return the ratios and bounds that the JSON promises.

    Args:
        runs: figures of every run.
        latency: figures of the latency run.
    """
    rates = {name: value["events_per_s"] for name, value in medians(runs).items()}
    worker = [run["rss_max_mb"] for run in runs if run["contestant"] == "worker"]
    return {
        "ratio_vs_kafka_engine": round(rates["worker"] / rates[ENGINE], 3),
        "ratio_vs_naive": round(rates["worker"] / rates["naive"], 3),
        "ratio_vs_consume_only": round(rates["worker"] / rates["consume_only"], 3),
        "latency_p95_s": latency["from_event_s"]["p95"],
        "rss_max_mb": max([*worker, latency["rss_max_mb"]]),
    }


def medians(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return each contestant's median of each figure, in the order in which they ran."""
    names = dict.fromkeys(run["contestant"] for run in runs)
    return {
        name: {figure: median(run[figure] for run in runs if run["contestant"] == name) for figure in _FIGURES}
        for name in names
    }


def faults(runs: list[dict[str, Any]], events: int) -> list[str]:
    """Return a sentence for each run whose rows are not what they should be.

    The worker must land each event exactly once. The others promise less, and a row they repeat is no fault of
    ours; but one they lose, or write differently, would make the comparison worthless.
    """
    found = []
    expected = {run["fingerprint"] for run in runs if run["contestant"] == "worker"}
    for run in runs:
        if run["contestant"] == "consume_only":
            continue
        name, rows, distinct = run["contestant"], run["rows"], run["distinct"]
        if distinct != events:
            found.append(f"{name}: {events - distinct:,} events lost")
        if rows != distinct and name == "worker":
            found.append(f"{name}: {rows - distinct:,} rows doubled")
        if rows == distinct == events and expected != {run["fingerprint"]}:
            found.append(f"{name}: its rows differ from the worker's")
    return found


def table(report: dict[str, Any]) -> str:
    """Return the report as text."""
    counts = ", ".join(f"{name}: {report[name]}" for name in ("rounds", "workers", "cores", "load"))
    lines = [
        f"{report['events']:,} events of {report['bytes_per_event']:g} bytes, partitions: 8, {counts} before",
        "",
        f"{'':36}{'events/s':>10}{'a is':>8}{'CPU s per million events':>40}{'MB':>6}",
        f"{'':36}{'':>10}{'':>8}{'own process':>14}{'clickhouse':>14}{'kafka':>12}{'':>6}",
    ]
    own = report["medians"]["worker"]["events_per_s"]
    for name, row in report["medians"].items():
        rate, *cpu, memory = (row[figure] for figure in _FIGURES)
        shown = "".join(f"{value:>{width}.1f}" for value, width in zip(cpu, (14, 14, 12), strict=True))
        lines.append(f"{_TITLES[name]:36}{rate:>10,.0f}{own / rate:>7.2f}x{shown}{memory or '-':>6}")
    lines += ["", *_against_targets(report), "", f"(b) is {report['tunings'][ENGINE]}"]
    if ENGINE_BY_ROW in report["tunings"]:
        lines.append(f"(b') is {report['tunings'][ENGINE_BY_ROW]}")
    return "\n".join([*lines, _DEFINITION])


def _against_targets(report: dict[str, Any]) -> list[str]:
    latency = report["latency"]["from_event_s"]
    wanted = (
        ("ratio_vs_kafka_engine", "at least 1.5"),
        ("ratio_vs_naive", "at least 4"),
        ("ratio_vs_consume_only", "at least 0.6"),
        ("latency_p95_s", "at most 1.5"),
        ("rss_max_mb", "at most 400"),
    )
    lines = [f"{name:24}{report[name]:>10g}   target: {target}" for name, target in wanted]
    return [*lines, f"{'latency at 5,000/s':24}p50 {latency['p50']} s, p95 {latency['p95']} s, p99 {latency['p99']} s"]
