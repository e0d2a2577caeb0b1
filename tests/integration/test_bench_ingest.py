"""The ingest benchmark, tiny: every contestant lands every row, and the report holds what it promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.install import kafka_is_installed
from local.paths import ROOT, clickhouse_library
from tests.patience import PROGRAM_SECONDS

EVENTS = 20_000
PROMISED = {"ratio_vs_kafka_engine", "ratio_vs_naive", "ratio_vs_consume_only", "latency_p95_s", "rss_max_mb"}
WRITERS = {"worker", "kafka_engine", "kafka_engine_by_row", "naive"}


def test_each_contestant_lands_each_event_and_the_report_holds_the_promised_figures(tmp_path: Path) -> None:
    if not (clickhouse_library().exists() and kafka_is_installed()):
        pytest.skip("needs a real Kafka and a real ClickHouse: run `make setup`")
    report = tmp_path / "ingest.json"
    options = ["--quick", "--events", str(EVENTS), "--latency-seconds", "2", "--output", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest", *options],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(report.read_text())
    assert figures.keys() >= PROMISED
    assert all(figures[name] > 0 for name in PROMISED)
    runs = {run["contestant"]: run for run in figures["runs"]}
    assert runs.keys() == WRITERS | {"consume_only"}
    assert {name: (runs[name]["rows"], runs[name]["distinct"]) for name in WRITERS} == dict.fromkeys(
        WRITERS, (EVENTS, EVENTS)
    )
    assert len({runs[name]["fingerprint"] for name in WRITERS}) == 1
    assert all(name in done.stdout for name in PROMISED)
