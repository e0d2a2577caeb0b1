"""An estimate with its interval and p, as every test here returns it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A difference (treatment minus control) or a lift, and how sure it is.

    Args:
        value: the estimate, in the metric's unit; a lift is relative (0.02: +2 %).
        low: lower end of the interval.
        high: upper end of the interval.
        p: two-sided p value of "there is no difference", from 0 to 1.
        statistic: what p was read from (z or t), signed.

    """

    value: float
    low: float
    high: float
    p: float
    statistic: float
