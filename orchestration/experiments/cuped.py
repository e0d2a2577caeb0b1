"""CUPED: take out of a metric what the users' own past explains of it, from sums alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from orchestration.experiments.sample import Number, Sample


@dataclass(frozen=True)
class PairSums:
    """Sums over one variation's users of a metric y and the same thing before their first exposure, x.

    Args:
        users: how many the sums are over; a user without a past has x = 0.
        y: sum of y.
        yy: sum of y squared.
        x: sum of x.
        xx: sum of x squared.
        xy: sum of x times y.

    """

    users: int
    y: Number
    yy: Number
    x: Number
    xx: Number
    xy: Number

    def centred(self) -> tuple[Fraction, Fraction, Fraction]:
        """Return the sums of squares and products around the means: of y, of x, of both; exact."""
        y, x = Fraction(self.y), Fraction(self.x)
        return (
            Fraction(self.yy) - y**2 / self.users,
            Fraction(self.xx) - x**2 / self.users,
            Fraction(self.xy) - x * y / self.users,
        )


@dataclass(frozen=True)
class Adjusted:
    """Both variations after the adjustment.

    Args:
        control: y - theta (x - mean of x over both variations), its mean and variance.
        treatment: the same of the other variation.
        theta: the slope of y on x.
        variance_reduction: the part of the variance of the difference that went, 0 to 1 (below 0: it grew).

    """

    control: Sample
    treatment: Sample
    theta: float
    variance_reduction: float


def cuped(control: PairSums, treatment: PairSums) -> Adjusted | None:
    """Adjust both variations with one slope, pooled within the variations.

    Source: Deng, Xu, Kohavi & Walker (2013), "Improving the Sensitivity of Online Controlled Experiments by
    Utilizing Pre-Experiment Data", WSDM. With the slope taken within the variations, the difference of the adjusted
    means is the coefficient of the variation in a least-squares fit of y on variation and x.

    Returns:
        None when a variation has fewer than two users, or x or y does not vary.

    """
    if min(control.users, treatment.users) < 2:  # noqa: PLR2004 - two make a variance
        return None
    parts = control.centred(), treatment.centred()
    past = parts[0][1] + parts[1][1]
    raw = sum(part[0] / (sums.users - 1) / sums.users for part, sums in zip(parts, (control, treatment), strict=True))
    if past <= 0 or raw <= 0:
        return None
    theta = (parts[0][2] + parts[1][2]) / past
    centre = (Fraction(control.x) + Fraction(treatment.x)) / (control.users + treatment.users)
    samples = [_adjusted(sums, part, theta, centre) for sums, part in zip((control, treatment), parts, strict=True)]
    left = samples[0].mean_variance + samples[1].mean_variance
    return Adjusted(samples[0], samples[1], float(theta), 1 - left / float(raw))


def _adjusted(sums: PairSums, part: tuple[Fraction, Fraction, Fraction], theta: Fraction, centre: Fraction) -> Sample:
    yy, xx, xy = part
    mean = Fraction(sums.y) / sums.users - theta * (Fraction(sums.x) / sums.users - centre)
    variance = (yy - 2 * theta * xy + theta**2 * xx) / (sums.users - 1)
    return Sample(sums.users, float(mean), max(0.0, float(variance)))
