"""Short forms of `make bench-experiments`, which has the figures."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.experiment_metrics import Metric, acting, conversion, events, lognormal, one, pareto, revenue
from benchmarks.experiment_simulations import Design, run, sample_ratios

METRICS = {
    "conversion": conversion(0.05),
    "revenue": revenue(0.05, lognormal),
    "revenue with a heavier tail": revenue(0.02, pareto),
    "events": events(),
}
LASTING = {
    "conversion": conversion(0.0, 0.005),
    "revenue": acting("revenue_per_user", 0.005, lognormal, 4_000),
    "events": acting("events_per_user", 0.05, one, 4_000),
}


@pytest.mark.parametrize("split", [(100, 100), (180, 20)])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_fair_experiments_looked_at_all_the_time_are_seldom_called_different(
    metric: Metric, split: tuple[int, int]
) -> None:
    seen = run(np.random.default_rng(1), Design(metric, *split, looks=50), 400)
    assert (seen.anytime > 0).mean() <= 0.05
    assert (seen.fixed > 0).mean() > 0.1  # the same looks with a fixed test


@pytest.mark.parametrize("metric", LASTING.values(), ids=LASTING)
def test_so_are_fair_experiments_whose_users_go_on_acting(metric: Metric) -> None:
    """Counted in users, time stood still while they acted, and up to 5.6 % were called different."""
    seen = run(np.random.default_rng(5), Design(metric, 100, 100, looks=100, arriving=40), 400)
    assert (seen.anytime > 0).mean() <= 0.05


def test_a_true_effect_is_found_for_about_twice_the_users_of_a_fixed_test() -> None:
    # A fixed test finds +20 % on 10 % in 80 % of all cases with 3,530 users a variation.
    seen = run(np.random.default_rng(2), Design(conversion(0.1), 353, 353, looks=30, effect=0.2), 400)
    within = np.where(seen.anytime > 0, seen.anytime, np.inf)
    assert (within <= 20).mean() > 0.7
    assert (within <= 30).mean() > 0.9


def test_a_fair_split_looked_at_for_a_life_is_seldom_flagged() -> None:
    alarms = sample_ratios(np.random.default_rng(3), [0.5, 0.5], [0.5, 0.5], [500] * 100, 20_000)
    assert alarms.anytime <= 0.001
    assert alarms.chi_square > 0.01  # the same looks with chi-square below 0.001


def test_a_planted_51_to_49_split_is_found_by_a_hundred_thousand_users() -> None:
    alarms = sample_ratios(np.random.default_rng(4), [0.5, 0.5], [0.51, 0.49], [2_000] * 50, 500)
    assert alarms.anytime > 0.95
