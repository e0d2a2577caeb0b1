"""A test that may be looked at as often as one likes: the always-valid interval and p of a difference.

Robbins' normal mixture gives a boundary that a Brownian motion crosses *ever* with at most the chance alpha, and the
difference of two means, divided by its standard error, is near enough a Brownian motion, seen at the time that its
own information makes. That time is not the number of users: users go on buying after they came, so the information
grows while no new user comes. It is the number of what is counted: converted users, purchases, events.

- Robbins (1970), "Statistical Methods Related to the Law of the Iterated Logarithm", Ann. Math. Stat. 41: the mixture;
- Johari, Koomen, Pekelis & Walsh (2022), "Always Valid Inference: Continuous Monitoring of A/B Tests", Operations
  Research 70: the mSPRT's p value for two variations;
- Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), "Time-uniform central limit theory and asymptotic confidence
  sequences", Ann. Stat. 52: why estimated variances are good enough, and how wide the mixture should be.

The guarantee is asymptotic: with little data the mean of a skewed metric is not normal yet. Three things cover that,
and `make bench-experiments` shows that they do: the interval is very wide while little has been counted, nothing is
said before each variation has a minimum of users, and the variance is the larger of the unpooled and the pooled one,
because a small variation that has not met its first buyer yet would otherwise count as one that never varies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.experiments.estimate import Estimate
from orchestration.experiments.sample import Sample

Floats = NDArray[np.float64]

MINIMUM_USERS: Final = 100


@dataclass(frozen=True)
class Plan:
    """What has to stand before the first look; changed later, the guarantee is void.

    Args:
        planned: how many converted users, purchases or events, of both variations together, the interval is to be
            narrowest at for its size. Any number is valid: the interval is a quarter wider than it could be at a
            tenth of them, and 7 % at ten times as many.
        minimum_users: users that each variation needs before anything is said.
        alpha: the chance that a fair experiment is ever called different.

    """

    planned: int
    minimum_users: int = MINIMUM_USERS
    alpha: float = 0.05

    def ratio(self, counted: Floats) -> Floats:
        """Return the mixture's variance in variances of the difference, when so much has been counted.

        Waudby-Smith et al. (2024) approximate the best such ratio by -2 ln(alpha) + ln(1 - 2 ln(alpha)); it is
        reached when what is planned has been counted.
        """
        surprise = -2 * math.log(self.alpha)
        return (surprise + math.log1p(surprise)) * counted / self.planned


def cautious_variance(users: tuple[Floats, Floats], variances: tuple[Floats, Floats]) -> Floats:
    """Return the variance of the difference: the larger of the unpooled and the pooled one.

    Args:
        users: of control and treatment, arrays of one shape, each above 1.
        variances: the metric's sample variance in control and treatment.

    """
    less_one = users[0] - 1, users[1] - 1
    pooled = (less_one[0] * variances[0] + less_one[1] * variances[1]) / (less_one[0] + less_one[1])
    unpooled = variances[0] / users[0] + variances[1] / users[1]
    return np.asarray(np.maximum(unpooled, pooled * (1 / users[0] + 1 / users[1])))


def log_evidence(z: Floats, ratio: Floats) -> Floats:
    """Return the log of the mixture likelihood ratio against "no difference" (Johari et al. 2022).

    Args:
        z: the difference in standard errors.
        ratio: of the mixture's variance to that of the difference, see `Plan.ratio`.

    """
    return ratio / (1 + ratio) * z**2 / 2 - 0.5 * np.log1p(ratio)


def critical_value(ratio: Floats, alpha: float) -> Floats:
    """Return the z whose evidence is 1 / alpha, where a test at one look has 1.96; infinite at ratio 0."""
    with np.errstate(divide="ignore"):
        return np.sqrt((1 + 1 / np.asarray(ratio)) * (np.log1p(ratio) - 2 * math.log(alpha)))


def always_valid(
    control: Sample, treatment: Sample, counted: float, plan: Plan, p_so_far: float = 1.0
) -> Estimate | None:
    """Compare two means at any time, as often as wanted.

    Args:
        control: users, mean and variance of the control.
        treatment: the same of the other variation.
        counted: what of `plan.planned` has been counted in both variations together.
        plan: fixed before the first look.
        p_so_far: the smallest p seen at earlier looks: a p that may be stopped at only falls.

    Returns:
        The difference with the interval of this look, and the running p. None before the minimum of users, or
        when nothing varies or was counted. `statistic` is the difference in standard errors.

    """
    error = standard_error(control, treatment)
    if min(control.users, treatment.users) < plan.minimum_users or error <= 0 or counted <= 0:
        return None
    ratio = plan.ratio(np.array(counted))
    value = treatment.mean - control.mean
    z = value / error
    p_now = math.exp(-max(0.0, float(log_evidence(np.array(z), ratio))))
    reach = float(critical_value(ratio, plan.alpha)) * error
    return Estimate(value, value - reach, value + reach, min(p_so_far, p_now), z)


def time_of_shares(successes: Floats, users: Floats) -> Floats:
    """Return what is counted of a yes-or-no metric: the odds times the users, about the successes while they are rare.

    Once most users have converted, the few that are left tell the variations apart, and the information grows
    faster than the successes do. 0 where all users, or none, succeeded.
    """
    left = users - successes
    return np.asarray(np.where(left > 0, successes * users / np.maximum(left, 1), 0.0))


def standard_error(control: Sample, treatment: Sample) -> float:
    """Return the standard error of the difference, from `cautious_variance`."""
    users = np.array(control.users, float), np.array(treatment.users, float)
    return math.sqrt(cautious_variance(users, (np.array(control.variance), np.array(treatment.variance))))


def scaled(control: Sample, factor: float) -> Sample:
    """Return the control times a number: against 0.98 of it, a test asks whether more than 2 % is lost."""
    return Sample(control.users, factor * control.mean, factor**2 * control.variance)
