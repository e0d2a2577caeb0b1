"""Sample ratio mismatch: whether, where and since when."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from orchestration.experiments.mismatch import off_segments, start_hour
from orchestration.experiments.sample_ratio import log_evidence, sample_ratio
from tests.experiment_data import START, exposures

EVEN = {"a": 0.5, "b": 0.5}


def test_51_to_49_is_found_at_a_hundred_thousand_users_and_not_at_a_thousand() -> None:
    assert sample_ratio([51_000, 49_000], [0.5, 0.5]).is_flagged
    assert not sample_ratio([510, 490], [0.5, 0.5]).is_flagged


def test_a_split_as_planned_gives_no_evidence() -> None:
    found = sample_ratio([9_000, 1_000], [0.9, 0.1])
    assert (found.p, found.log_evidence, found.chi_square, found.is_flagged) == (1.0, 0.0, 0.0, False)


def test_below_a_hundred_users_nothing_is_flagged() -> None:
    assert not sample_ratio([99, 0], [0.5, 0.5]).is_flagged
    assert sample_ratio([100, 0], [0.5, 0.5]).is_flagged
    assert sample_ratio([75, 25], [0.5, 0.5]).is_flagged


def test_evidence_that_was_seen_is_not_forgotten() -> None:
    found = sample_ratio([50_000, 50_000], [0.5, 0.5], evidence_so_far=8.0)
    assert found.is_flagged
    assert found.p == pytest.approx(np.exp(-8.0))


def test_the_evidence_is_the_dirichlet_multinomial_likelihood_ratio() -> None:
    counts, shares = np.array([530, 300, 170]), np.array([0.5, 0.3, 0.2])
    around = np.mean([stats.dirichlet_multinomial(weight * shares, 1_000).pmf(counts) for weight in (10, 1_000)])
    planned = stats.multinomial(1_000, shares).pmf(counts)
    expected = np.log(0.5 * around / planned + 0.5)
    assert log_evidence(counts, shares) == pytest.approx(expected, rel=1e-9)


def test_the_evidence_of_a_fair_split_is_1_on_average() -> None:
    """That is what makes it safe to look at all day: summed over all outcomes, exactly."""
    hits = np.arange(1_001)
    evidence = log_evidence(np.column_stack([hits, 1_000 - hits]), [0.3, 0.7])
    assert np.exp(evidence + stats.binom(1_000, 0.3).logpmf(hits)).sum() == pytest.approx(1, rel=1e-9)


def test_users_in_a_variation_that_nobody_planned_are_a_mismatch() -> None:
    found = sample_ratio([500, 500, 3], [0.5, 0.5, 0.0])
    assert (found.is_flagged, found.p, found.chi_square) == (True, 0.0, None)
    assert sample_ratio([500, 500, 0], [0.5, 0.5, 0.0]).p == 1.0


def test_one_variation_or_no_users_have_no_ratio() -> None:
    assert sample_ratio([500], [1.0]) is None
    assert sample_ratio([0, 0], [0.5, 0.5]) is None


def shop(hours: int, lost: dict[tuple[str, int], int]) -> list[tuple[str, str, int, str, str, int]]:
    """Ten times even users an hour, without those of b that are lost on a device from an hour on."""
    return [
        (
            "shop",
            arm,
            hour,
            device,
            country,
            500
            - sum(users for (where, since), users in lost.items() if arm == "b" and where == device and hour >= since),
        )
        for arm in "ab"
        for hour in range(hours)
        for device in ("mobile", "desktop")
        for country in ("DE", "FR")
    ]


def test_the_device_on_which_users_are_lost_is_named_and_the_countries_are_not() -> None:
    assert off_segments(exposures(*shop(48, {("mobile", 20): 60})), EVEN) == ["device_type=mobile"]


def test_where_users_are_lost_alike_everywhere_no_segment_is_named() -> None:
    assert off_segments(exposures(*shop(48, {("mobile", 20): 60, ("desktop", 20): 60})), EVEN) == []


@pytest.mark.parametrize("hour", [0, 13, 40])
def test_the_hour_in_which_it_began_is_named(hour: int) -> None:
    assert start_hour(exposures(*shop(48, {("mobile", hour): 100})), EVEN) == START + timedelta(hours=hour)


def test_the_hour_is_found_to_a_few_hours_in_noise() -> None:
    random = np.random.default_rng(4)
    rows = [
        ("shop", arm, hour, "mobile", "DE", int(random.poisson(200 if arm == "b" and hour >= 30 else 250)))
        for arm in "ab"
        for hour in range(72)
    ]
    assert abs(start_hour(exposures(*rows), EVEN) - START - timedelta(hours=30)) <= timedelta(hours=4)


def test_a_fair_split_has_no_start_and_no_segments() -> None:
    fair = exposures(*shop(48, {}))
    assert start_hour(fair, EVEN) is None
    assert off_segments(fair, EVEN) == []
    assert start_hour(exposures(), EVEN) is None
    assert off_segments(exposures(), EVEN) == []
