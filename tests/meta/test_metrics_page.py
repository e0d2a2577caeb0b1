"""The list of metrics keeps its own rules, and the page that people read is made from it."""

from __future__ import annotations

import re

import pytest

from contracts.metrics import METRICS, Metric
from contracts.metrics_page import PAGE, render

HOPS = {"produce", "kafka", "ingest", "raw", "staging", "marts", "checks", "alerts", "dashboard"}


def test_the_page_is_what_the_list_makes() -> None:
    assert PAGE.read_text() == render(), "docs/metrics.md is stale: run `make docs`"


def test_each_metric_has_a_heading_of_its_own() -> None:
    assert re.findall(r"^## (\S+)$", PAGE.read_text(), re.MULTILINE) == [metric.name for metric in METRICS]
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
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
