"""The checks on experiments, from looks as the statistics write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl
import pytest

from orchestration.checks.experiments import (
    _SCHEMA,
    guardrails_verdict,
    mixed_verdict,
    ready_verdict,
    sample_ratio_verdict,
)
from orchestration.experiments.settings import ExperimentSettings


def looks(**changes: Any) -> pl.DataFrame:
    """A sound experiment of two variations, of which one is changed."""
    sound = {
        "experiment_name": "button",
        "experiment_variation": "green",
        "metric": "conversion",
        "is_primary": True,
        "users": 1000,
        "planned_shares": "control 50 %, green 50 %",
        "srm_flagged": False,
        "srm_anytime_p": 0.7,
        "srm_segments": [],
        "mixed_users": 3,
        "mixed_share": 0.0015,
        "guardrail_crossed": None,
        "lift": None,
        "verdict": "keep_running",
        "reason": "Nothing yet.",
        "computed_at": datetime(2026, 5, 4, 13, tzinfo=UTC),
    }
    control = sound | {"experiment_variation": "control"}
    return pl.DataFrame([control, sound | changes], schema=_SCHEMA)


JUDGES = (sample_ratio_verdict, lambda rows: mixed_verdict(rows, {}), guardrails_verdict, ready_verdict)


@pytest.mark.parametrize("rows", [looks(), looks().clear()], ids=["sound", "none"])
def test_sound_experiments_and_none_at_all_pass_every_check(rows: pl.DataFrame) -> None:
    for judge in JUDGES:
        assert judge(rows).passed


CASES = [
    (0, {"srm_flagged": True, "srm_segments": ["device mobile"]}, "ERROR", "| button | green | 1,000 |"),
    (1, {"mixed_users": 60, "mixed_share": 0.03}, "ERROR", "| button | 60 | 3.00% | 1.00% |"),
    (
        2,
        {"guardrail_crossed": True, "metric": "revenue_per_user", "lift": -0.12},
        "WARN",
        "revenue_per_user | -12.0% |",
    ),
    (3, {"verdict": "ship", "reason": "Green converts more."}, "WARN", "| ship | Green converts more. |"),
]


@pytest.mark.parametrize(("place", "changes", "severity", "row"), CASES)
def test_each_trouble_fails_its_own_check_and_no_other(place: int, changes: dict, severity: str, row: str) -> None:
    results = [judge(looks(**changes)) for judge in JUDGES]
    assert [result.passed for result in results] == [number != place for number in range(4)]
    assert results[place].severity is dg.AssetCheckSeverity[severity]
    assert results[place].metadata["offending_items"].value == ["button"]
    assert row in results[place].metadata["offending"].value


def test_what_an_experiment_accepts_is_its_own_setting() -> None:
    rows = looks(mixed_users=60, mixed_share=0.03)
    assert mixed_verdict(rows, {"button": ExperimentSettings(most_mixed=0.05)}).passed
