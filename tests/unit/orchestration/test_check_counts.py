"""Tails, evidence and spread of counts, held against scipy and against simulated hours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestration.checks.counts import anytime_tail, lower_tail, pooled_dispersion, upper_limit, upper_tail

COUNTS = np.array([0.0, 1.0, 7.0, 30.0, 400.0])
EXPECTED = np.array([0.5, 3.0, 6.0, 12.0, 250.0])
DISPERSION = np.array([0.02, 0.5, 0.1, 0.03, 0.01])


def negative_binomial(expected: np.ndarray, dispersion: np.ndarray):
    shape = 1 / dispersion
    return stats.nbinom(shape, shape / (shape + expected))


def test_the_tails_are_those_of_scipys_negative_binomial() -> None:
    reference = negative_binomial(EXPECTED, DISPERSION)
    assert upper_tail(COUNTS, EXPECTED, DISPERSION) == pytest.approx(reference.sf(COUNTS - 1), rel=1e-9)
    assert lower_tail(COUNTS, EXPECTED, DISPERSION) == pytest.approx(reference.cdf(COUNTS), rel=1e-9)
    assert upper_limit(EXPECTED, DISPERSION, 1e-4) == pytest.approx(reference.isf(1e-4))


def test_without_dispersion_the_tails_are_poissons() -> None:
    none = np.zeros(5)
    assert upper_tail(COUNTS, EXPECTED, none) == pytest.approx(stats.poisson(EXPECTED).sf(COUNTS - 1), rel=1e-9)
    assert lower_tail(COUNTS, EXPECTED, none) == pytest.approx(stats.poisson(EXPECTED).cdf(COUNTS), rel=1e-9)


def test_far_tails_keep_their_digits() -> None:
    far = upper_tail(np.array([500.0]), np.array([20.0]), np.array([0.01]))
    assert far == pytest.approx(negative_binomial(np.array([20.0]), np.array([0.01])).sf(499), rel=1e-6)
    assert 0 < far[0] < 1e-100


def test_looking_at_a_running_hour_all_the_time_does_not_add_false_alerts() -> None:
    random = np.random.default_rng(11)
    hours, looks, mean, dispersion = 4_000, 60, 30.0, 0.05
    rate = mean * random.gamma(1 / dispersion, dispersion, hours)
    sold = random.poisson(rate[:, None] / looks, (hours, looks)).cumsum(axis=1).astype(float)
    expected = np.broadcast_to(mean * np.arange(1, looks + 1) / looks, sold.shape)
    p = anytime_tail(sold, expected, np.full(sold.shape, dispersion))
    often = (p.min(axis=1) <= 0.05).mean()
    assert often <= 0.05
    peeking = (upper_tail(sold, expected, np.full(sold.shape, dispersion)).min(axis=1) <= 0.05).mean()
    assert peeking > 0.1  # what the ordinary tail does when it is looked at every minute


def test_evidence_grows_with_the_spike_and_is_never_above_one() -> None:
    p = anytime_tail(np.array([5.0, 20.0, 60.0]), np.full(3, 10.0), np.full(3, 0.02))
    assert p[0] == 1.0
    assert p[0] >= p[1] > p[2]
    assert p[2] < 1e-6


def test_the_dispersion_of_simulated_items_is_found_again() -> None:
    random = np.random.default_rng(12)
    hours, truth = 672, np.array([0.01] * 50 + [0.2] * 50)
    mean = np.full(100, 40.0)
    counts = random.poisson(mean * random.gamma(1 / truth, truth, (hours, 100)))
    excess = ((counts - mean) ** 2 - mean).sum(axis=0)
    found = pooled_dispersion(excess, np.full(100, hours * 40.0**2), hours)
    assert np.median(found[:50]) == pytest.approx(0.01, rel=0.4)
    assert np.median(found[50:]) == pytest.approx(0.2, rel=0.2)


def test_an_item_of_which_little_is_known_has_its_fellows_dispersion() -> None:
    excess = np.array([0.05 * 672 * 100.0] * 20 + [0.1])
    scale = np.array([672 * 100.0] * 20 + [0.001])
    found = pooled_dispersion(excess, scale, 672)
    assert found[-1] == pytest.approx(0.05, rel=0.05)


def test_with_no_history_at_all_some_spread_is_assumed() -> None:
    assert pooled_dispersion(np.zeros(3), np.zeros(3), 0).min() > 0
