"""What is known of one variation's users in one metric: how many, their mean, their variance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

Number: TypeAlias = int | float | Decimal


@dataclass(frozen=True)
class Sample:
    """One variation in one metric.

    Args:
        users: how many, at least 2.
        mean: the metric per user, in the metric's own unit.
        variance: the sample variance (divided by users - 1), in the unit squared.

    """

    users: int
    mean: float
    variance: float

    @property
    def mean_variance(self) -> float:
        """The variance of the mean: its standard error squared."""
        return self.variance / self.users


def sample(users: int, total: Number, squares: Number) -> Sample | None:
    """Return mean and variance from sums over users, or None when fewer than two users have no variance.

    The textbook formula (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance")
    loses every digit when the mean is large beside the spread. It is computed in fractions, so the only
    rounding is that of the sums themselves.

    Args:
        users: how many users the sums are over.
        total: sum of the metric.
        squares: sum of its squares.

    """
    if users < 2 or not (math.isfinite(total) and math.isfinite(squares)):  # noqa: PLR2004 - two make a variance
        return None
    around_mean = Fraction(squares) - Fraction(total) ** 2 / users
    return Sample(users, float(Fraction(total) / users), max(0.0, float(around_mean / (users - 1))))


def binary(users: int, successes: int) -> Sample | None:
    """Return the sample of a yes-or-no metric: a square of 0 or 1 is the same number."""
    return sample(users, successes, successes)
