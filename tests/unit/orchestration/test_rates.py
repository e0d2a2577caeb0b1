"""Rates of segments, and the verdicts made from them, on figures one can check by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from contracts.settings import Settings
from orchestration.checks.catalogue import CONVERSION
from orchestration.checks.item_drops import drops_verdict
from orchestration.checks.item_sales import HISTORY_HOURS, HourOfSales
from orchestration.checks.item_sales_baseline import Sales
from orchestration.checks.item_sales_statistics import Rule
from orchestration.checks.rates import Period, Rates, judge_rates
from orchestration.checks.segments import Subject, segments_verdict, series
from orchestration.checks.shop import conversion_series, revenue_series

HOUR = datetime(2026, 5, 4, 13, tzinfo=UTC)
RULE = Rule(ratio=1.5, floor=20, false_share=0.01)
SUBJECT = Subject(CONVERSION, "category", "purchases", "views", "both")


def history(rates: list[float], exposure: float = 1000.0, periods: int = 168) -> Rates:
    exposures = np.full((periods, len(rates)), exposure)
    return Rates(np.random.default_rng(1).poisson(np.array(rates) * exposures).astype(float), exposures)


def hits(counts: list[float], exposures: list[float], direction: str = "both") -> list[int]:
    now = Period(np.array(counts, dtype=float), np.array(exposures, dtype=float))
    return np.flatnonzero(judge_rates(history([0.1, 0.1, 0.1]), now, RULE, direction).hit).tolist()


def test_a_rate_is_judged_up_and_down_and_by_its_exposure() -> None:
    assert hits([100, 200, 50], [1000, 1000, 1000]) == [1, 2]
    assert hits([200, 200, 200], [2000, 2000, 2000]) == []
    assert hits([100, 200, 50], [1000, 1000, 1000], "down") == [2]
    assert hits([100, 200, 50], [1000, 1000, 1000], "up") == [1]


def test_few_counts_and_no_exposure_are_not_judged() -> None:
    assert hits([10, 0, 0], [50, 100, 0]) == []


def test_an_outage_in_history_does_not_lower_the_bar() -> None:
    past = history([0.1])
    past.counts[-5:] = 0
    judged = judge_rates(past, Period(np.array([100.0]), np.array([1000.0])), RULE, "both")
    assert judged.expected.item() == pytest.approx(100, rel=0.02)
    assert judged.dispersion.item() < 0.01


def test_an_ordinary_rate_is_hardly_ever_remarkable() -> None:
    random, past = np.random.default_rng(2), history([0.1] * 20)
    found = sum(
        judge_rates(past, Period(random.poisson(100.0, 20).astype(float), np.full(20, 1000.0)), RULE, "both").hit.sum()
        for _ in range(300)
    )
    assert found <= 3  # 1 % of 300 hours at most


def frame(now: float, exposure: float = 1000.0, hours: int = 48) -> pl.DataFrame:
    random = np.random.default_rng(3)
    rows = [("shoes", HOUR - timedelta(hours=ago), float(random.poisson(100)), 1000.0) for ago in range(1, hours)]
    names = ["segment", "period", "count", "exposure"]
    return pl.DataFrame([*rows, ("shoes", HOUR, now, exposure)], schema=names, orient="row")


def test_a_drop_is_told_with_its_figures_and_held_back_by_what_is_upstream() -> None:
    found = series(frame(20.0), HOUR, timedelta(hours=1), HISTORY_HOURS)
    result = segments_verdict(SUBJECT, found, RULE)
    assert not result.passed
    assert result.description.startswith("Category shoes had 20 purchases of 1,000 views, expected 10")
    assert result.metadata["offending_items"].value == ["shoes"]
    assert len(result.metadata["chart"].value["times"]) == 48
    held = segments_verdict(SUBJECT, found, RULE, "raw_is_fresh fails upstream, which may explain it.")
    assert held.passed
    assert held.metadata["held_back"].value.startswith("raw_is_fresh")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (frame(20.0, hours=10), "Not enough to compare with: 9"),
        (frame(0.0, 0.0), "No views in the period"),
        (frame(0.0).clear(), "Not enough to compare with: 0"),
    ],
)
def test_what_cannot_be_compared_passes_and_says_why(rows: pl.DataFrame, words: str) -> None:
    result = segments_verdict(SUBJECT, series(rows, HOUR, timedelta(hours=1), HISTORY_HOURS), RULE)
    assert result.passed
    assert words in result.description


def hours_of_sales(price: float) -> pl.DataFrame:
    """Two days of 100 sales an hour of 10 each, then an hour of them at another price."""
    rows = [
        ("shoes", HOUR - timedelta(hours=ago), 1000.0, 100.0, 100 * each, 100 * each**2)
        for ago in range(48)
        for each in [10.0 if ago else price]
    ]
    names = ["segment", "period", "views", "purchases", "revenue", "worth"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_revenue_is_counted_in_average_sales_worth_so_that_a_wrong_price_is_seen() -> None:
    assert segments_verdict(SUBJECT, revenue_series(hours_of_sales(10.0), HOUR), RULE).passed
    cheap = segments_verdict(SUBJECT, revenue_series(hours_of_sales(1.0), HOUR), RULE)
    assert not cheap.passed
    assert cheap.metadata["observed"].value == pytest.approx(10)
    assert cheap.metadata["expected"].value == pytest.approx(100, rel=0.01)
    assert segments_verdict(SUBJECT, conversion_series(hours_of_sales(1.0), HOUR), RULE).passed


def test_a_sum_of_random_amounts_in_its_unit_varies_as_a_count_does() -> None:
    random = np.random.default_rng(4)
    amounts = stats.lognorm(1.0)
    unit = amounts.moment(2) / amounts.mean()
    sums = np.array([amounts.rvs(count, random_state=random).sum() for count in random.poisson(200, 3_000)]) / unit
    assert sums.var() == pytest.approx(sums.mean(), rel=0.15)


def test_an_item_that_stops_selling_is_a_drop_that_explains_itself() -> None:
    items = pl.DataFrame({"item_id": ["gone", "a", "b"], "item_category": ["x"] * 3, "sales": [0.0, 50.0, 50.0]})
    places, hours = np.tile(np.arange(3), 24), np.repeat(np.arange(HISTORY_HOURS - 24, HISTORY_HOURS), 3)
    read = HourOfSales(HOUR, False, items, Sales(3, HISTORY_HOURS, places, hours, np.full(72, 50.0)))
    result = drops_verdict(read, Settings(_env_file=None))
    assert not result.passed
    assert "Item gone sold 0 in the hour of 2026-05-04 13:00 UTC, expected 50" in result.description
    assert result.metadata["offending_items"].value == ["gone"]
    assert drops_verdict(read, Settings(_env_file=None), "x fails upstream, which may explain it.").passed
