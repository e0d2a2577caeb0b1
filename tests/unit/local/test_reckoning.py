"""The demo's own arithmetic: a broken promise is named, an unmeasured figure is null."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.errors import UserError
from local.demo.report import DemoReport
from local.demo.source import make_source


def test_a_clean_demo_breaks_no_promise() -> None:
    assert DemoReport(spike_item="item-1", spike_alerted=True).failures() == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (DemoReport(missing=1), "neither raw table"),
        (DemoReport(duplicated=2), "more than once"),
        (DemoReport(spike_item="item-1"), "no alert"),
    ],
)
def test_each_broken_promise_is_named(broken: DemoReport, words: str) -> None:
    assert words in broken.failures()[0]


def test_a_figure_that_was_not_measured_is_null_and_not_zero(tmp_path: Path) -> None:
    DemoReport().write(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["freshness_p95_s"] is None


def test_an_unknown_source_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="simulator, online-retail"):
        make_source("nonsense", tmp_path / "truth.json", 1, None, 1000)
