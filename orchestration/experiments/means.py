"""Two means compared at a size fixed beforehand: Welch's t test, and the relative lift."""

from __future__ import annotations

import math

from scipy import stats

from orchestration.experiments.estimate import Estimate
from orchestration.experiments.sample import Sample


def welch(control: Sample, treatment: Sample, alpha: float = 0.05) -> Estimate | None:
    """Compare two means whose variances may differ.

    Source: Welch (1947), "The generalization of 'Student's' problem when several different population
    variances are involved", Biometrika 34; degrees of freedom by Satterthwaite (1946), Biometrics Bulletin 2.

    Args:
        control: users, mean and variance of the control.
        treatment: the same of the other variation.
        alpha: 1 minus the interval's confidence.

    Returns:
        The difference of the means, or None when neither side varies. Meant for one look at the end.

    """
    parts = control.mean_variance, treatment.mean_variance
    variance = sum(parts)
    if variance <= 0:
        return None
    freedom = variance**2 / (parts[0] ** 2 / (control.users - 1) + parts[1] ** 2 / (treatment.users - 1))
    error = math.sqrt(variance)
    difference = treatment.mean - control.mean
    t = difference / error
    radius = float(stats.t.isf(alpha / 2, freedom)) * error
    return Estimate(difference, difference - radius, difference + radius, 2 * float(stats.t.sf(abs(t), freedom)), t)


def lift_variance(control: Sample, treatment: Sample) -> float | None:
    """Return the variance of treatment mean / control mean by the delta method, or None without a base.

    Source: Deng, Knoblich & Lu (2018), "Applying the Delta Method in Metric Analytics", KDD, with no
    covariance: the two variations hold different users.
    """
    if control.mean <= 0:
        return None
    ratio = treatment.mean / control.mean
    return (treatment.mean_variance + ratio**2 * control.mean_variance) / control.mean**2


def relative_lift(control: Sample, treatment: Sample, alpha: float = 0.05) -> Estimate | None:
    """Return treatment mean / control mean - 1 with a delta-method interval (see `lift_variance`).

    Its p is that of a normal test of the lift against 0, which may differ a little from the difference's own.

    Returns:
        None when the control's mean is not above 0 (then there is no base to be relative to) or nothing varies.

    """
    variance = lift_variance(control, treatment)
    if not variance:
        return None
    lift, error = treatment.mean / control.mean - 1, math.sqrt(variance)
    radius = float(stats.norm.isf(alpha / 2)) * error
    z = lift / error
    return Estimate(lift, lift - radius, lift + radius, 2 * float(stats.norm.sf(abs(z))), z)
