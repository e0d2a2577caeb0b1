"""One source that is away, hangs or breaks takes nothing from the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.core import Metric as Family

from contracts import platform_metrics as metrics
from contracts.clock import SystemClock
from contracts.errors import RetryLater
from contracts.exposition import family
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
