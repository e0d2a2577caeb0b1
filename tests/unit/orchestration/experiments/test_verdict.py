"""One word and one sentence for each variation."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from orchestration.experiments.results import experiment_results
from orchestration.experiments.settings import ExperimentSettings, Guardrail
from orchestration.experiments.verdict import figure
from tests.experiment_data import empty, exposures


def arm(name: str, users: int, converted: int, revenue: float = 0.0, **more: Any) -> dict[str, Any]:
    spent = {"revenue": revenue * users, "revenue_sum_squares": (revenue**2 + 4) * users} if revenue else {}
    return empty("shop", name, exposed_users=users, converted_users=converted, conversions=converted, **spent, **more)


def verdict(*arms: dict[str, Any], **settings: Any) -> tuple[str, str]:
    found = experiment_results(pl.DataFrame(arms), exposures(), {"shop": ExperimentSettings(**settings)})
    assert found.select("verdict", "reason").n_unique() == 1
    return found["verdict"][0], found["reason"][0]


def test_a_variation_that_is_surely_better_is_shipped() -> None:
    said = verdict(arm("control", 20_000, 2_000), arm("green", 20_000, 2_400))
    assert said == (
        "ship",
        "The variation green converts 2.0 points better than control (always-valid 95 % interval 1.0 to 3.0).",
    )


def test_a_variation_that_is_surely_worse_is_stopped() -> None:
    word, reason = verdict(arm("control", 20_000, 2_400), arm("green", 20_000, 2_000))
    assert word == "stop"
    assert "converts 2.0 points worse than control" in reason


def test_what_a_fixed_test_would_call_different_may_not_be_sure_yet() -> None:
    arms = arm("control", 20_000, 2_000), arm("green", 20_000, 2_130)
    found = experiment_results(pl.DataFrame(arms), exposures(), {})
    assert found.filter(metric="conversion")["p"].item() < 0.05
    word, reason = verdict(*arms)
    assert word == "keep_running"
    assert "no sure difference in conversion yet" in reason


def test_when_less_is_better_less_is_shipped() -> None:
    word, reason = verdict(arm("control", 20_000, 2_400), arm("green", 20_000, 2_000), better="down")
    assert word == "ship"
    assert "converts 2.0 points less than control" in reason


def test_the_primary_metric_decides() -> None:
    arms = arm("control", 5_000, 500, revenue=10.0), arm("green", 5_000, 500, revenue=10.5)
    assert verdict(*arms)[0] == "keep_running"
    word, reason = verdict(*arms, primary="revenue_per_user")
    assert word == "ship"
    assert "earns 0.50 more a user than control" in reason


def test_a_crossed_guardrail_stops_even_a_better_variation() -> None:
    arms = arm("control", 20_000, 2_000, revenue=10.0), arm("green", 20_000, 2_400, revenue=9.0)
    word, reason = verdict(*arms, guardrails={"revenue_per_user": Guardrail(margin=0.02)})
    assert word == "stop"
    assert "guardrail revenue per user" in reason
    assert verdict(*arms, guardrails={"revenue_per_user": Guardrail(margin=0.15)})[0] == "ship"
    assert verdict(*arms, guardrails={"revenue_per_user": Guardrail(better="down")})[0] == "ship"


def test_a_guardrail_for_a_metric_that_is_to_stay_low_is_crossed_upwards() -> None:
    arms = arm("control", 20_000, 2_000, revenue=10.0), arm("green", 20_000, 2_000, revenue=11.0)
    rail = {"revenue_per_user": Guardrail(better="down", margin=0.02)}
    assert verdict(*arms, guardrails=rail)[0] == "stop"


def test_nothing_found_where_the_smallest_effect_would_have_been_is_a_stop() -> None:
    arms = arm("control", 200_000, 20_000), arm("green", 200_000, 20_010)
    assert verdict(*arms)[0] == "keep_running"
    word, reason = verdict(*arms, smallest_effect=0.05)
    assert word == "stop"
    assert "a change of 5 % would have been found" in reason
    word, reason = verdict(*arms, smallest_effect=0.01)
    assert word == "keep_running"
    assert "more users would show a change of 1 %" in reason


def test_a_split_that_is_off_is_broken_whatever_the_metrics_say() -> None:
    word, reason = verdict(arm("control", 21_000, 2_000), arm("green", 19_000, 2_400))
    assert word == "broken"
    assert "control has 52.50 % in place of 50 %" in reason
    assert "equal shares are expected" in reason
    assert verdict(arm("a", 21_000, 2_000), arm("b", 19_000, 1_810), shares={"a": 21, "b": 19})[0] == "keep_running"


def test_a_planned_variation_that_got_no_users_is_broken() -> None:
    word, reason = verdict(arm("a", 500, 50), shares={"a": 1, "b": 1})
    assert word == "broken"
    assert "b has 0.00 %" in reason


def test_too_many_users_in_two_variations_are_broken() -> None:
    arms = [arm(name, 1_000, 100, mixed_users=30) for name in ("a", "b")]
    word, reason = verdict(*arms)
    assert word == "broken"
    assert "1.5 % of the users saw two variations" in reason
    assert verdict(*arms, most_mixed=0.02)[0] == "keep_running"


def test_before_there_are_enough_users_nothing_is_said() -> None:
    word, reason = verdict(arm("a", 99, 90), arm("b", 99, 5))
    assert word == "keep_running"
    assert "the smaller has 99" in reason


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [(1.234, 1.0, "1.2"), (1.234, 0.05, "1.234"), (-0.004, 1.0, "0.0"), (12_345.6, 900, "12,346"), (0.5, 0.0, "0.500")],
)
def test_a_figure_has_as_many_decimals_as_its_interval_deserves(value: float, width: float, text: str) -> None:
    assert figure(value, width) == text
