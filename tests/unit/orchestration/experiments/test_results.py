"""The table of results: its rows, what earlier looks add, and input that has nothing to say."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import stats

from orchestration.experiments.columns import RESULT_SCHEMA
from orchestration.experiments.results import STATS_COLUMNS, experiment_results
from orchestration.experiments.settings import METRICS, ExperimentSettings, load_settings
from tests.experiment_data import START, empty, exposures, sums, users

RANDOM = np.random.default_rng(9)
PEOPLE = {name: users(RANDOM, 4_000, rate) for name, rate in (("control", 0.1), ("green", 0.15), ("blue", 0.1))}


def table(*names: str, **change: Any) -> pl.DataFrame:
    return pl.DataFrame([sums("shop", name, PEOPLE[name], **change) for name in names])


def only(frame: pl.DataFrame, **where: str) -> dict[str, Any]:
    return frame.filter(**where).row(0, named=True)


def test_there_is_a_row_for_each_variation_and_metric() -> None:
    found = experiment_results(table("green", "control", "blue"), exposures(), {})
    assert dict(found.schema) == RESULT_SCHEMA
    assert found.select("experiment_variation", "metric").rows() == [
        (variation, metric) for variation in ("blue", "green") for metric in METRICS
    ]
    assert set(found["control_variation"]) == {"control"}


@pytest.mark.parametrize("metric", METRICS)
def test_the_figures_are_those_of_the_users_themselves(metric: str) -> None:
    column = {"conversion": "converted", "revenue_per_user": "revenue", "events_per_user": "events"}[metric]
    control, green = (PEOPLE[name][column] for name in ("control", "green"))
    row = only(experiment_results(table("control", "green"), exposures(), {}), metric=metric)
    assert (row["users"], row["control_users"]) == (4_000, 4_000)
    assert (row["mean"], row["control_mean"]) == pytest.approx((green.mean(), control.mean()))
    assert row["lift"] == pytest.approx(green.mean() / control.mean() - 1)
    if metric != "conversion":
        expected = stats.ttest_ind(green, control, equal_var=False)
        assert row["p"] == pytest.approx(expected.pvalue, rel=1e-9)
        assert (row["difference_low"], row["difference_high"]) == pytest.approx(tuple(expected.confidence_interval()))


def test_the_past_of_the_users_makes_the_interval_narrower() -> None:
    row = only(experiment_results(table("control", "green"), exposures(), {}), metric="events_per_user")
    assert row["cuped_variance_reduction"] > 0.5
    assert row["cuped_anytime_high"] - row["cuped_anytime_low"] < 0.75 * (row["anytime_high"] - row["anytime_low"])
    without = experiment_results(table("control", "green", users_with_history=99), exposures(), {})
    assert without["cuped_difference"].is_null().all()


def test_p_values_are_adjusted_across_variations_and_metrics() -> None:
    found = experiment_results(table("control", "green", "blue"), exposures(), {})
    assert found["p_adjusted"].to_list() == pytest.approx(list(stats.false_discovery_control(found["p"])))
    assert found["anytime_p_adjusted"].to_list() == pytest.approx(
        list(stats.false_discovery_control(found["anytime_p"]))
    )


def test_decimals_are_taken_as_they_come_from_the_marts() -> None:
    plain = table("control", "green")
    exact = [
        {name: Decimal(str(value)) if isinstance(value, float) else value for name, value in row.items()}
        for row in plain.to_dicts()
    ]
    found, expected = (experiment_results(frame, exposures(), {}) for frame in (pl.DataFrame(exact), plain))
    assert_frame_equal(found, expected, rel_tol=1e-12)


def test_earlier_looks_are_remembered_under_the_same_plan_only() -> None:
    first = experiment_results(table("control", "green"), exposures(), {})
    shrunk = pl.DataFrame([sums("shop", name, PEOPLE["blue"]) for name in ("control", "green")])
    later = experiment_results(shrunk, exposures(), {}, first)
    assert later["anytime_p"].to_list() == first["anytime_p"].to_list()
    assert experiment_results(shrunk, exposures(), {}, later)["anytime_p"].to_list() == first["anytime_p"].to_list()
    changed = experiment_results(
        shrunk, exposures(), {"shop": ExperimentSettings(planned=dict.fromkeys(METRICS, 999))}, first
    )
    assert changed["anytime_p"].to_list() == [1.0, 1.0, 1.0]


def test_a_variation_that_no_longer_looks_better_is_not_shipped() -> None:
    first = experiment_results(table("control", "green"), exposures(), {})
    assert set(first["verdict"]) == {"ship"}
    shrunk = pl.DataFrame([sums("shop", name, PEOPLE["blue"]) for name in ("control", "green")])
    assert set(experiment_results(shrunk, exposures(), {}, first)["verdict"]) == {"keep_running"}


def test_a_split_that_was_off_stays_off_until_the_plan_is_another() -> None:
    off = experiment_results(
        table("control", "green").with_columns(exposed_users=pl.Series([5_000, 4_000])), exposures(), {}
    )
    even = table("control", "green")
    assert experiment_results(even, exposures(), {}, off)["srm_flagged"].all()
    planned = {"shop": ExperimentSettings(shares={"control": 50.1, "green": 49.9})}
    assert not experiment_results(even, exposures(), planned, off)["srm_flagged"].any()


def test_a_split_that_is_off_names_where_and_since_when() -> None:
    rows = [
        ("shop", arm, hour, device, "DE", 60 if (arm, device) == ("green", "mobile") and hour > 5 else 100)
        for arm in ("control", "green")
        for hour in range(20)
        for device in ("mobile", "desktop")
    ]
    counts = table("control", "green").with_columns(exposed_users=pl.Series([4_000, 3_440]))
    row = only(experiment_results(counts, exposures(*rows), {}), metric="conversion")
    assert (row["srm_segments"], row["srm_start_hour"]) == (["device_type=mobile"], START.replace(hour=6))
    assert row["reason"].endswith(
        "since 2026-01-01 06:00 UTC, by device_type=mobile (equal shares are expected when experiments.yml names none)."
    )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], ""),
        ([empty("shop", "a")], "Only the variation a"),
        ([empty("shop", "a"), empty("shop", "b")], "the smaller has 0"),
        ([empty("shop", "a", exposed_users=1), empty("shop", "b", exposed_users=1)], "the smaller has 1"),
        ([empty("shop", name, exposed_users=500) for name in "ab"], "no difference in conversion"),
        ([empty("shop", name, exposed_users=500, converted_users=500) for name in "ab"], "no difference"),
        ([dict.fromkeys(STATS_COLUMNS) | {"experiment_name": "shop", "experiment_variation": "a"}], "Only the"),
        ([dict.fromkeys(STATS_COLUMNS)], ""),
    ],
)
def test_where_there_is_nothing_to_say_the_experiment_runs_on(rows: list[dict[str, Any]], reason: str) -> None:
    schema = None if rows else dict.fromkeys(STATS_COLUMNS, pl.String)
    found = experiment_results(pl.DataFrame(rows, schema=schema), exposures(), load_settings())
    assert dict(found.schema) == RESULT_SCHEMA
    assert set(found["verdict"]) <= {"keep_running"}
    assert all(reason in each for each in found["reason"])
    assert found["p"].is_null().all()


def test_without_the_named_control_every_variation_is_shown_alone() -> None:
    found = experiment_results(table("green", "blue"), exposures(), {"shop": ExperimentSettings(control="old")})
    assert found["experiment_variation"].to_list() == ["blue"] * 3 + ["green"] * 3
    assert set(found["verdict"]) == {"keep_running"}
    assert set(found["reason"]) == {"The control old has no users: there is nothing to compare with."}
    assert found["mean"].null_count() == 0
    assert found["is_primary"].to_list() == [True, False, False] * 2


SMALL = st.fixed_dictionaries(
    {name: st.integers(0, 300) for name in STATS_COLUMNS[2:]} | {"revenue": st.integers(-300, 300)}
)


@given(st.lists(SMALL, min_size=1, max_size=4), st.sampled_from([None, 0.05]))
@settings(deadline=None)
def test_no_sums_however_odd_make_it_fail(arms: list[dict[str, int]], smallest: float | None) -> None:
    rows = [{"experiment_name": "shop", "experiment_variation": "abcd"[place]} | arm for place, arm in enumerate(arms)]
    chosen = {"shop": ExperimentSettings(smallest_effect=smallest, minimum_users=2)}
    found = experiment_results(pl.DataFrame(rows), exposures(), chosen)
    found = experiment_results(pl.DataFrame(rows), exposures(), chosen, found)
    assert len(found) == 3 * max(1, len(arms) - 1)
    assert set(found["verdict"]) <= {"keep_running", "ship", "stop", "broken"}
    for column in ("p", "anytime_p", "p_adjusted", "srm_anytime_p"):
        assert all(0 <= p <= 1 and not math.isnan(p) for p in found[column].drop_nulls())
