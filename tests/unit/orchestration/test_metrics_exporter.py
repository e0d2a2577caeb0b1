"""One source that is away, hangs or breaks takes nothing from the others."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric as Family

from contracts import platform_metrics as metrics
from contracts.clock import SystemClock
from contracts.errors import RetryLater, UserError
from contracts.exposition import family
from contracts.settings import Settings
from orchestration.metrics.endpoint import exporting, worker_targets
from orchestration.metrics.exporter import Exporter, Look


def well() -> list[Family]:
    return [family(metrics.WORKERS, {(): 2})]


@pytest.fixture
def made() -> Iterator[list[Exporter]]:
    exporters: list[Exporter] = []
    yield exporters
    for exporter in exporters:
        exporter.close()


def collected(exporter: Exporter) -> dict[str, dict[Any, float]]:
    return {
        one.name: {tuple(sample.labels.values()): sample.value for sample in one.samples} for one in exporter.collect()
    }


def exporter_of(made: list[Exporter], **sources: Look) -> Exporter:
    made.append(Exporter(sources, SystemClock(), at_most_seconds=0.2))
    return made[-1]


def test_a_source_that_is_away_leaves_a_gap_and_is_logged_once(
    made: list[Exporter], caplog: pytest.LogCaptureFixture
) -> None:
    troubles = [RetryLater("no broker"), RetryLater("no broker")]

    def kafka() -> list[Family]:
        if troubles:
            raise troubles.pop()
        return [family(metrics.END, {("t", "0"): 7})]

    exporter = exporter_of(made, kafka=kafka, clickhouse=well)
    with caplog.at_level(logging.INFO, "millrace.metrics"):
        for _ in range(2):
            found = collected(exporter)
            assert found["millrace_metrics_source_up"] == {("kafka",): 0, ("clickhouse",): 1}
            assert found["millrace_kafka_workers"] == {(): 2}
            assert "millrace_kafka_end_offset" not in found
            assert list(found["millrace_metrics_look_seconds"]) == [("clickhouse",)]
        assert collected(exporter)["millrace_kafka_end_offset"] == {("t", "0"): 7}
    assert [record.getMessage() for record in caplog.records] == ["kafka: no broker", "kafka answers again"]


def test_a_source_that_hangs_is_left_alone_until_it_has_answered(made: list[Exporter]) -> None:
    free, asked = threading.Event(), []

    def hanging() -> list[Family]:
        asked.append(1)
        free.wait(30)
        return []

    exporter = exporter_of(made, dagster=hanging, clickhouse=well)
    for _ in range(3):
        found = collected(exporter)
        assert found["millrace_metrics_source_up"] == {("dagster",): 0, ("clickhouse",): 1}
    assert len(asked) == 1
    free.set()
    assert collected(exporter)["millrace_metrics_source_up"][("dagster",)] == 1


def test_a_bug_in_one_look_is_logged_with_its_place_and_costs_no_scrape(
    made: list[Exporter], caplog: pytest.LogCaptureFixture
) -> None:
    exporter = exporter_of(made, dagster=lambda: [1 / 0], clickhouse=well)  # type: ignore[list-item]
    found = collected(exporter)
    assert found["millrace_metrics_source_up"] == {("dagster",): 0, ("clickhouse",): 1}
    assert "ZeroDivisionError" in caplog.text


def test_prometheus_finds_the_workers_that_run_or_died_and_not_those_that_left(tmp_path: Path) -> None:
    states = {
        "ingest-1": {"state": "running", "endpoint": "http://127.0.0.1:9464"},
        "ingest-2": {"state": "waiting", "endpoint": "http://[::1]:9465"},
        "left": {"state": "stopping", "endpoint": "http://127.0.0.1:9466"},
        "silent": {"state": "running", "endpoint": None},
    }
    (tmp_path / "ingest").mkdir()
    for name, state in states.items():
        (tmp_path / "ingest" / f"{name}.json").write_text(json.dumps(state))
    (tmp_path / "ingest" / "half.json").write_text('{"state": "run')
    assert worker_targets(Settings(_env_file=None, millrace_home=tmp_path)) == [
        {"targets": ["127.0.0.1:9464"], "labels": {"worker": "ingest-1"}},
        {"targets": ["[::1]:9465"], "labels": {"worker": "ingest-2"}},
    ]


def test_a_port_that_is_taken_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = Settings(_env_file=None, metrics_port=port)
        said = rf"METRICS_PORT, METRICS_HOST: port {port} of 127.0.0.1 cannot be opened \(.*\); choose another$"
        with pytest.raises(UserError, match=said), exporting(settings, tmp_path):
            pass
