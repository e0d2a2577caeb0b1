"""The lists of metrics keep their own rules, and the page that people read is made from them."""

from __future__ import annotations

import re

import pytest

from contracts.metrics import METRICS, Metric
from contracts.platform_metrics import PLATFORM_METRICS
from monitoring.metrics_page import PAGE, names, render

# The hops, and what is beside them: what starts the runs, and what asks for the figures.
HOPS = {"produce", "kafka", "ingest", "raw", "staging", "marts", "checks", "alerts", "dashboard"} | {
    *("orchestration", "metrics"),
}
ALL = (*METRICS, *PLATFORM_METRICS)


def test_the_page_is_what_the_lists_make() -> None:
    assert PAGE.read_text() == render(), "docs/metrics.md is stale: run `make docs`"


def test_each_metric_recorded_figure_and_alert_has_a_heading_of_its_own() -> None:
    assert re.findall(r"^### (\S+)$", PAGE.read_text(), re.MULTILINE) == list(names())
    assert len(set(names())) == len(list(names()))


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names_and_texts_follow_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"millrace(_[a-z]+)+", metric.name)
    assert metric.hop in HOPS
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    if metric.unit in {"seconds", "bytes"}:
        assert metric.unit in metric.name.removesuffix("_total").split("_")[-1]
    for text in (metric.meaning, metric.what_to_do):
        assert text.endswith("."), "a sentence for people"
        assert text == " ".join(text.split())
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))
