"""The demo's own arithmetic: a broken promise is named, an unmeasured figure is null."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import UserError
from local.demo.alerts import first_about
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


def test_an_alert_counts_only_when_its_words_name_the_item_after_the_spike_began() -> None:
    """A numeric item was once found in a message's time stamp, and in an alert from before the spike."""
    began = datetime.fromtimestamp(1_000, UTC)
    early = {"at": 999.0, "text": "Item 21866 sold 21"}
    other = {"at": 1_001.0, "text": "Item 121866 sold 9", "ts": "1795433604.21866"}
    right = {"at": 1_002.5, "text": "Also now: 21866, 23199."}
    assert first_about([early, other], "21866", began) is None
    assert first_about([early, other, right], "21866", began) == datetime.fromtimestamp(1_002.5, UTC)
