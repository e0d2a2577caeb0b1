"""Two shares compared at a size fixed beforehand: the pooled z test and the unpooled interval."""

from __future__ import annotations

import math

from scipy import stats

from orchestration.experiments.estimate import Estimate


def two_proportions(control: tuple[int, int], treatment: tuple[int, int], alpha: float = 0.05) -> Estimate | None:
    """Compare two shares, each given as (successes, users).

    The test pools the two shares, because "no difference" says they are one; the interval does not, because it
    asks how large the difference is. Source: Fleiss, Levin & Paik (2003), "Statistical Methods for Rates and
    Proportions" (without continuity correction).

    Args:
        control: successes and users of the control.
        treatment: the same of the other variation.
        alpha: 1 minus the interval's confidence.

    Returns:
        The difference of the shares, or None when a side has no users or nobody (or everybody) succeeded.
        Meant for one look at the end: under repeated looks its p is far too small.

    """
    (hits_c, n_c), (hits_t, n_t) = control, treatment
    if n_c < 1 or n_t < 1 or not 0 < hits_c + hits_t < n_c + n_t:
        return None
    share_c, share_t = hits_c / n_c, hits_t / n_t
    pooled = (hits_c + hits_t) / (n_c + n_t)
    z = (share_t - share_c) / math.sqrt(pooled * (1 - pooled) * (1 / n_c + 1 / n_t))
    error = math.sqrt(max(0.0, share_c * (1 - share_c) / n_c + share_t * (1 - share_t) / n_t))
    radius = float(stats.norm.isf(alpha / 2)) * error
    difference = share_t - share_c
    return Estimate(difference, difference - radius, difference + radius, 2 * float(stats.norm.sf(abs(z))), z)
