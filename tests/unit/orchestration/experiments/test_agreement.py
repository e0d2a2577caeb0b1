"""The figures agree with scipy and statsmodels to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from orchestration.experiments.means import relative_lift, welch
from orchestration.experiments.multiple import adjusted
from orchestration.experiments.power import detectable_effect, fixed_critical, users_still_needed
from orchestration.experiments.proportions import two_proportions
from orchestration.experiments.sample import Sample, binary, sample
from orchestration.experiments.sample_ratio import chi_square

CLOSE = {"rel": 1e-9, "abs": 1e-12}
COUNTS = st.integers(2, 200_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
RANDOM = np.random.default_rng(11)


@given(COUNTS, COUNTS)
def test_two_shares_agree_with_statsmodels(control: tuple[int, int], treatment: tuple[int, int]) -> None:
    found = two_proportions(control, treatment)
    hits, users = zip(treatment, control, strict=True)
    if found is None:
        assert sum(hits) in {0, sum(users)}
        return
    z, p = proportions_ztest(hits, users)
    interval = confint_proportions_2indep(hits[0], users[0], hits[1], users[1], method="wald", compare="diff")
    assert (found.statistic, found.p) == pytest.approx((z, p), **CLOSE)
    assert (found.low, found.high) == pytest.approx(interval, **CLOSE)


@pytest.mark.parametrize(("n_a", "n_b"), [(5, 900), (1_000, 1_200), (40_000, 300)])
def test_two_means_agree_with_scipy_and_statsmodels(n_a: int, n_b: int) -> None:
    a, b = RANDOM.lognormal(3, 1.5, n_a), RANDOM.lognormal(3.1, 1.2, n_b)
    found = welch(*(sample(len(y), y.sum(), y @ y) for y in (a, b)))
    expected = stats.ttest_ind(b, a, equal_var=False)
    interval = CompareMeans(DescrStatsW(b), DescrStatsW(a)).tconfint_diff(usevar="unequal")
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), **CLOSE)
    assert (found.low, found.high) == pytest.approx(interval, **CLOSE)


def test_the_variance_keeps_its_digits_where_the_mean_is_large_beside_the_spread() -> None:
    values = [10_000_000_001, 10_000_000_002, 10_000_000_004]
    found = sample(3, sum(values), sum(value**2 for value in values))
    assert found.variance == pytest.approx(7 / 3, **CLOSE)


def test_a_lifts_interval_is_the_delta_methods() -> None:
    control, treatment = Sample(5_000, 2.0, 9.0), Sample(4_000, 2.5, 12.0)
    slopes = optimize.approx_fprime([2.0, 2.5], lambda means: means[1] / means[0], 1e-7)
    error = np.sqrt(slopes**2 @ [9.0 / 5_000, 12.0 / 4_000])
    found = relative_lift(control, treatment)
    assert found.value == pytest.approx(0.25)
    assert (found.low, found.high) == pytest.approx(stats.norm.interval(0.95, 0.25, error), rel=1e-5)


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1], [0.2, 0.3, 0.5]])
def test_chi_square_agrees_with_scipy(shares: list[float]) -> None:
    counts = RANDOM.multinomial(12_345, shares)
    expected = stats.chisquare(counts, 12_345 * np.array(shares))
    assert chi_square(list(counts), shares) == pytest.approx((expected.statistic, expected.pvalue), **CLOSE)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_agree_with_statsmodels(p_values: list[float]) -> None:
    assert adjusted(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1], **CLOSE)


def test_a_test_that_could_not_be_made_counts_as_no_test() -> None:
    assert adjusted([None, 0.01, None, 0.04]) == [None, pytest.approx(0.02), None, pytest.approx(0.04)]
    assert adjusted([None]) == [None]


@pytest.mark.parametrize("ratio", [1.0, 0.25])
def test_the_detectable_effect_agrees_with_statsmodels(ratio: float) -> None:
    variance = 9.0 / 1_000 + 9.0 / (1_000 * ratio)
    size = NormalIndPower().solve_power(nobs1=1_000, alpha=0.05, power=0.8, ratio=ratio)
    # statsmodels counts the chance to err on the far side, too: about 1e-6 here
    assert detectable_effect(variance, fixed_critical()) == pytest.approx(3 * size, rel=1e-5)


def test_the_users_still_needed_agree_with_statsmodels() -> None:
    each = NormalIndPower().solve_power(effect_size=0.05, alpha=0.05, power=0.8, ratio=1)
    missing = users_still_needed(2_000, 2 / 1_000, -0.05, lambda _: fixed_critical())
    assert missing == pytest.approx(2 * each - 2_000, abs=2)
    assert users_still_needed(20_000, 2 / 10_000, 0.05, lambda _: fixed_critical()) == 0
    assert users_still_needed(2_000, 2 / 1_000, 0.0, lambda _: fixed_critical()) is None


def test_the_detectable_effect_is_found_in_four_of_five_experiments() -> None:
    effect = detectable_effect(2 * 0.09 / 500_000, fixed_critical())
    hits = RANDOM.binomial(500_000, 0.1, 4_000), RANDOM.binomial(500_000, 0.1 + effect, 4_000)
    found = [two_proportions((a, 500_000), (b, 500_000)).p < 0.05 for a, b in zip(*hits, strict=True)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_a_yes_or_no_metric_needs_no_sum_of_squares() -> None:
    assert binary(10, 4) == Sample(10, 0.4, pytest.approx(np.var([1] * 4 + [0] * 6, ddof=1)))
