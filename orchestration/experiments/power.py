"""What an experiment can still find: the smallest detectable effect, and the users that a given effect needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from scipy import stats

POWER: Final = 0.8
_TOO_MANY: Final = 1e12


def fixed_critical(alpha: float = 0.05) -> float:
    """Return the standard errors that a two-sided test at one look asks for: 1.96 at 5 %."""
    return float(stats.norm.isf(alpha / 2))


def detectable_effect(variance: float, critical: float, power: float = POWER) -> float:
    """Return the smallest true difference that is found with this power, in the metric's unit.

    Source: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences": the critical value plus the
    normal quantile of the power, in standard errors.

    Args:
        variance: of the difference with the present users.
        critical: standard errors the test asks for.
        power: the chance to find it.

    """
    return (critical - float(stats.norm.isf(power))) * math.sqrt(variance)


def users_still_needed(
    users: int, variance: float, effect: float, critical: Callable[[float], float], power: float = POWER
) -> int | None:
    """Return how many more users, split as now, make a true difference of `effect` detectable.

    Args:
        users: of both variations together.
        variance: of the difference with these users, above 0; it falls as one over the users.
        effect: the true difference, in the metric's unit; its sign does not matter.
        critical: the standard errors asked for at a given variance of the difference.
        power: the chance to find it.

    Returns:
        0 when they are enough already; None when no sensible number is enough (an effect of 0).

    """

    def reaches(times: float) -> bool:
        left = variance / times
        return detectable_effect(left, critical(left), power) <= abs(effect)

    if reaches(1.0):
        return 0
    most = _TOO_MANY / users
    if effect == 0 or most <= 1 or not reaches(most):
        return None
    few, enough = 0.0, math.log(most)
    while math.exp(enough) - math.exp(few) > 0.5 / users:  # to the user
        middle = (few + enough) / 2
        if middle in {few, enough}:
            break
        few, enough = (few, middle) if reaches(math.exp(middle)) else (middle, enough)
    return math.ceil(users * (math.exp(enough) - 1))
