"""CUPED from sums is the regression on the users themselves."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from orchestration.experiments.cuped import PairSums, cuped
from orchestration.experiments.means import welch

RANDOM = np.random.default_rng(5)


def pair(y: np.ndarray, x: np.ndarray) -> PairSums:
    return PairSums(len(y), y.sum(), y @ y, x.sum(), x @ x, x @ y)


def arms(sizes: tuple[int, int], slope: float) -> list[tuple[np.ndarray, np.ndarray]]:
    made = []
    for size, shift in zip(sizes, (0.0, 0.4), strict=True):
        x = RANDOM.gamma(2, 3, size)
        made.append((slope * x + shift + RANDOM.normal(0, 2, size), x))
    return made


@pytest.mark.parametrize("sizes", [(500, 520), (3_000, 200)])
def test_the_adjusted_difference_is_the_coefficient_of_a_least_squares_fit(sizes: tuple[int, int]) -> None:
    (y_c, x_c), (y_t, x_t) = arms(sizes, slope=1.7)
    found = cuped(pair(y_c, x_c), pair(y_t, x_t))
    is_treated = np.repeat([0.0, 1.0], sizes)
    fit = sm.OLS(np.append(y_c, y_t), np.column_stack([np.ones(sum(sizes)), is_treated, np.append(x_c, x_t)])).fit()
    assert found.treatment.mean - found.control.mean == pytest.approx(fit.params[1], rel=1e-9)
    assert found.theta == pytest.approx(fit.params[2], rel=1e-9)


def test_its_interval_is_welchs_on_the_users_adjusted_one_by_one() -> None:
    (y_c, x_c), (y_t, x_t) = arms((800, 900), slope=1.7)
    found = cuped(pair(y_c, x_c), pair(y_t, x_t))
    expected = stats.ttest_ind(y_t - found.theta * x_t, y_c - found.theta * x_c, equal_var=False)
    judged = welch(found.control, found.treatment)
    interval = expected.confidence_interval()
    assert (judged.low, judged.high, judged.p) == pytest.approx((*interval, expected.pvalue), rel=1e-9)


def test_the_variance_falls_by_the_squared_correlation() -> None:
    (y_c, x_c), (y_t, x_t) = arms((40_000, 40_000), slope=1.0)
    found = cuped(pair(y_c, x_c), pair(y_t, x_t))
    assert found.variance_reduction == pytest.approx(np.corrcoef(x_c, y_c)[0, 1] ** 2, abs=0.01)


def test_a_past_that_says_nothing_changes_nothing() -> None:
    (y_c, x_c), (y_t, x_t) = arms((20_000, 20_000), slope=0.0)
    found = cuped(pair(y_c, x_c), pair(y_t, x_t))
    assert found.variance_reduction == pytest.approx(0, abs=0.001)
    assert found.treatment.mean - found.control.mean == pytest.approx(y_t.mean() - y_c.mean(), abs=0.01)


def test_without_a_past_or_users_there_is_nothing_to_adjust() -> None:
    y, none = RANDOM.normal(0, 1, 100), np.zeros(100)
    assert cuped(pair(y, none), pair(y, none)) is None
    assert cuped(pair(none, y), pair(none, y)) is None
    assert cuped(pair(y[:1], y[:1]), pair(y, y)) is None
