"""Short forms of `make bench-experiments`, which has the figures."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.experiment_simulations import (
    Design,
    Draw,
    conversion,
    events,
    lognormal,
    pareto,
    revenue,
    run,
    sample_ratios,
)
from orchestration.experiments.sequential import Plan

METRICS = {
    "conversion": conversion(0.05),
    "revenue": revenue(0.05, lognormal),
    "revenue with a heavier tail": revenue(0.02, pareto),
    "events": events,
}


@pytest.mark.parametrize("split", [(100, 100), (180, 20)])
@pytest.mark.parametrize("draw", METRICS.values(), ids=METRICS)
def test_fair_experiments_looked_at_all_the_time_are_seldom_called_different(
    draw: Draw, split: tuple[int, int]
) -> None:
    seen = run(np.random.default_rng(1), Design(draw, *split, looks=50), 400, Plan())
    assert (seen.anytime > 0).mean() <= 0.05
    assert (seen.fixed > 0).mean() > 0.1  # the same looks with a fixed test


def test_a_true_effect_is_found_for_about_twice_the_users_of_a_fixed_test() -> None:
    # A fixed test finds +20 % on 10 % in 80 % of all cases with 3,530 users a variation.
    seen = run(np.random.default_rng(2), Design(conversion(0.1), 353, 353, looks=30, effect=0.2), 400, Plan())
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
