"""A test that may be looked at as often as one likes: the always-valid interval and p of a difference.

The difference of two means, divided by its standard error, is near enough a Brownian motion seen at time
1 / variance. For that, Robbins' normal mixture gives a boundary that a fair experiment crosses *ever* with at most
the chance alpha. Sources:

- Robbins (1970), "Statistical Methods Related to the Law of the Iterated Logarithm", Ann. Math. Stat. 41: the mixture;
- Johari, Koomen, Pekelis & Walsh (2022), "Always Valid Inference: Continuous Monitoring of A/B Tests", Operations
  Research 70: the mSPRT's p value for two variations;
- Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), "Time-uniform central limit theory and asymptotic confidence
  sequences", Ann. Stat. 52: why estimated variances are good enough, and how wide the mixture should be.

The guarantee is asymptotic: with few users the mean of a skewed metric is not normal yet. Two things cover that,
and `make bench-experiments` shows that they do: nothing is said before each variation has a minimum of users, and the
variance is the larger of the unpooled and the pooled one, because a small variation that has not met its first
buyer yet would otherwise count as one that never varies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.experiments.estimate import Estimate
from orchestration.experiments.sample import Sample, pooled_variance

Floats = NDArray[np.float64]

MINIMUM_USERS: Final = 100
PLANNED_USERS: Final = 10_000


@dataclass(frozen=True)
class Plan:
    """What has to stand before the first look; changed later, the guarantee is void.

    Args:
        planned_users: users of both variations together at which the interval is to be narrowest for its size.
            Any number is valid: the interval is a quarter wider than it could be at a tenth of
            them, and 7 % at ten times as many.
        minimum_users: users that each variation needs before anything is said.
        alpha: the chance that a fair experiment is ever called different.

    """

    planned_users: int = PLANNED_USERS
    minimum_users: int = MINIMUM_USERS
    alpha: float = 0.05

    @property
    def width(self) -> float:
        """The mixture's standard deviation, in standard deviations of the metric.

        Waudby-Smith et al. (2024) approximate the best ratio of mixture variance to the variance of
        the estimate by -2 ln(alpha) + ln(1 - 2 ln(alpha)); 4 / users is that variance for two equal halves.
        """
        surprise = -2 * math.log(self.alpha)
        return math.sqrt((surprise + math.log1p(surprise)) * 4 / self.planned_users)


def cautious_variance(users: tuple[Floats, Floats], variances: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Return the variance of the difference (the larger of unpooled and pooled) and the metric's pooled variance.

    Args:
        users: of control and treatment, arrays of one shape, each above 1.
        variances: the metric's sample variance in control and treatment.

    """
    less_one = users[0] - 1, users[1] - 1
    pooled = (less_one[0] * variances[0] + less_one[1] * variances[1]) / (less_one[0] + less_one[1])
    unpooled = variances[0] / users[0] + variances[1] / users[1]
    return np.maximum(unpooled, pooled * (1 / users[0] + 1 / users[1])), pooled


def log_evidence(difference: Floats, variance: Floats, mixture: Floats) -> Floats:
    """Return the log of the mixture likelihood ratio against "no difference" (Johari et al. 2022).

    Args:
        difference: treatment mean minus control mean.
        variance: of the difference, above 0.
        mixture: variance of the normal mixture over true differences, in the same unit, above 0.

    """
    total = variance + mixture
    return 0.5 * np.log(variance / total) + mixture * difference**2 / (2 * variance * total)


def radius(variance: Floats, mixture: Floats, alpha: float) -> Floats:
    """Return half the width of the always-valid interval: the differences whose evidence stays below 1 / alpha."""
    total = variance + mixture
    return np.sqrt(variance * total / mixture * (np.log(total / variance) - 2 * math.log(alpha)))


def always_valid(control: Sample, treatment: Sample, plan: Plan, p_so_far: float = 1.0) -> Estimate | None:
    """Compare two means at any time, as often as wanted.

    Args:
        control: users, mean and variance of the control.
        treatment: the same of the other variation.
        plan: fixed before the first look.
        p_so_far: the smallest p seen at earlier looks: a p that may be stopped at only falls.

    Returns:
        The difference with the interval of this look, and the running p. None before the minimum of users, or
        when nothing varies. `statistic` is the difference in standard errors.

    """
    if min(control.users, treatment.users) < plan.minimum_users or pooled_variance(control, treatment) <= 0:
        return None
    users = np.array(control.users, float), np.array(treatment.users, float)
    variance, pooled = cautious_variance(users, (np.array(control.variance), np.array(treatment.variance)))
    mixture = plan.width**2 * pooled
    difference = np.array(treatment.mean - control.mean)
    p_now = math.exp(-max(0.0, float(log_evidence(difference, variance, mixture))))
    reach = float(radius(variance, mixture, plan.alpha))
    value = float(difference)
    return Estimate(value, value - reach, value + reach, min(p_so_far, p_now), value / math.sqrt(variance))


def always_valid_contrast(control: Sample, treatment: Sample, factor: float, plan: Plan) -> Estimate | None:
    """Compare the treatment with `factor` times the control: 0.98 asks whether more than 2 % is lost.

    The mean of the control times a number is a mean too, so nothing but its scale changes.
    """
    scaled = Sample(control.users, factor * control.mean, factor**2 * control.variance)
    return always_valid(scaled, treatment, plan)


def critical_value(variance: float, pooled: float, plan: Plan) -> float:
    """Return how many standard errors a difference must have at this variance, where a fixed test needs 1.96.

    Args:
        variance: of the difference.
        pooled: the metric's variance.
        plan: as for `always_valid`.

    """
    reach = radius(np.array(variance), np.array(plan.width**2 * pooled), plan.alpha)
    return float(reach) / math.sqrt(variance)
