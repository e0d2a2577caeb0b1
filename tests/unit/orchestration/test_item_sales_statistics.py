"""Which items are remarkable, on small shops one can check by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from orchestration.checks.counts import upper_tail
from orchestration.checks.item_sales_baseline import HOURS_A_WEEK, Sales, learn
from orchestration.checks.item_sales_statistics import Rule, dropped, expected_sales, plain, remarkable

RULE = Rule(ratio=1.5, floor=20, false_share=0.02)


def history(rates: list[float], hours: int = HOURS_A_WEEK, seed: int = 3) -> Sales:
    """Sales at these rates an hour, Poisson."""
    counts = np.random.default_rng(seed).poisson(rates, (hours, len(rates))).astype(float)
    return entries(counts)


def entries(counts: np.ndarray) -> Sales:
    hour, item = np.nonzero(counts)
    return Sales(counts.shape[1], counts.shape[0], item, hour, counts[hour, item])


def hits(counts: list[float], rates: list[float], rule: Rule = RULE, *, running: bool = False) -> list[int]:
    judged = remarkable(np.array(counts, dtype=float), learn(history(rates)), rule, running=running)
    return np.flatnonzero(judged.hit).tolist()


def test_the_expected_sales_are_the_items_share_of_what_the_others_sell() -> None:
    baseline = replace(learn(history([10.0, 30.0])), share=np.array([0.25, 0.75]))
    assert expected_sales(np.array([30.0, 60.0]), baseline) == pytest.approx([20, 90])


def test_an_hour_that_is_busy_for_all_items_is_not_remarkable() -> None:
    rates = [5.0] * 20
    assert hits([500.0] * 20, rates) == []
    assert hits([500.0] * 20, rates, running=True) == []


def test_a_spike_does_not_raise_its_own_bar() -> None:
    rates = [10.0, *[10.0] * 30]
    assert hits([100.0, *[10.0] * 30], rates) == [0]
    assert hits([100.0, *[10.0] * 30], rates, running=True) == [0]


def test_a_spike_lasting_for_hours_does_not_raise_the_bar_of_its_next_hour() -> None:
    counts = np.random.default_rng(4).poisson([10.0] * 30, (HOURS_A_WEEK, 30)).astype(float)
    quiet = learn(entries(counts))
    counts[-5:, 0] = 300
    spiked = learn(entries(counts))
    assert spiked.share[0] == pytest.approx(quiet.share[0], rel=0.1)
    assert spiked.dispersion[0] == pytest.approx(quiet.dispersion[0], abs=0.01)


def test_a_ratio_that_chance_explains_is_not_remarkable() -> None:
    assert hits([21.0, *[12.0] * 30], [12.0] * 31) == []
    assert hits([230.0, *[120.0] * 30], [120.0] * 31) == [0]


def test_more_than_the_ratio_is_needed_however_sure_it_is() -> None:
    assert hits([1400.0, *[1000.0] * 30], [1000.0] * 31) == []
    assert hits([1800.0, *[1000.0] * 30], [1000.0] * 31) == [0]


def test_fewer_sales_than_the_floor_are_never_remarkable() -> None:
    rates = [0.1, *[20.0] * 30]
    assert hits([19.0, *[20.0] * 30], rates) == []
    assert hits([20.0, *[20.0] * 30], rates) == [0]


def test_an_item_that_never_sold_before_can_be_remarkable() -> None:
    assert hits([40.0, *[20.0] * 30], [0.0, *[20.0] * 30]) == [0]


def test_a_shops_only_item_is_not_judged() -> None:
    assert hits([1000.0], [10.0]) == []


def test_a_large_spike_does_not_make_the_others_look_like_drops() -> None:
    counts = np.array([900.0, *[30.0] * 20])
    baseline = learn(history([30.0] * 21))
    spiking = remarkable(counts, baseline, RULE, running=False).hit
    rule = replace(RULE, ratio=0.5)
    assert dropped(counts, baseline, rule, np.zeros(21, dtype=bool)).hit.sum() == 20
    assert dropped(counts, baseline, rule, spiking).hit.sum() == 0


def test_an_item_that_stops_selling_has_dropped() -> None:
    counts = np.array([2.0, *[40.0] * 20])
    judged = dropped(counts, learn(history([40.0] * 21)), replace(RULE, ratio=0.5), np.zeros(21, dtype=bool))
    assert np.flatnonzero(judged.hit).tolist() == [0]


def test_a_slow_item_without_a_sale_has_not_dropped() -> None:
    counts = np.array([0.0, *[40.0] * 20])
    judged = dropped(counts, learn(history([3.0, *[40.0] * 20])), replace(RULE, ratio=0.5), np.zeros(21, dtype=bool))
    assert not judged.hit.any()


def test_after_three_weeks_the_share_is_that_of_the_hour_of_the_week() -> None:
    hours = np.arange(4 * HOURS_A_WEEK)
    rates = np.tile([[1.0, *[50.0] * 20]], (hours.size, 1))
    rates[hours % 24 == 0, 0] = rates[hours % 24 == 23, 0] = rates[hours % 24 == 1, 0] = 60.0  # sells at midnight
    counts = np.random.default_rng(5).poisson(rates).astype(float)
    midnight, noon = learn(entries(counts)), learn(entries(counts[:-12]))
    assert midnight.is_seasonal
    assert midnight.share[0] > 10 * noon.share[0]
    assert not learn(entries(counts[: 2 * HOURS_A_WEEK])).is_seasonal


def test_the_plain_rule_compares_with_the_items_average_hour_and_tests_nothing() -> None:
    baseline = learn(history([10.0, 100.0]))
    found = plain(np.array([30.0, 140.0]), baseline, RULE)
    assert np.flatnonzero(found.hit).tolist() == [0]
    assert found.expected == pytest.approx([10, 100], rel=0.1)


def test_hours_before_the_first_sale_do_not_lower_the_average() -> None:
    counts = np.zeros((HOURS_A_WEEK, 2))
    counts[-10:] = [20, 40]
    assert learn(entries(counts)).average == pytest.approx([20, 40])


def test_discoveries_are_those_of_statsmodels() -> None:
    random = np.random.default_rng(6)
    counts = random.poisson(30.0, 200).astype(float)
    counts[:8] = [90, 80, 70, 65, 62, 60, 58, 55]
    baseline = replace(learn(history([30.0] * 200)), dispersion=np.zeros(200), information=np.full(200, 1e12))
    judged = remarkable(counts, baseline, Rule(1.0001, 1, 0.05), running=False)
    others = counts * ~judged.hit
    p = upper_tail(counts, judged.expected, 1 / (others.sum() - others))
    assert judged.hit.tolist() == (multipletests(p, 0.05, "fdr_bh")[0] & (counts > judged.expected)).tolist()


def test_an_empty_shop_has_nothing_remarkable() -> None:
    none = np.array([], dtype=int)
    sales = Sales(0, HOURS_A_WEEK, none, none, np.array([]))
    assert remarkable(np.array([]), learn(sales), RULE, running=False).hit.size == 0
