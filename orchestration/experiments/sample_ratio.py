"""Sample ratio mismatch: whether the variations have the shares of users that they were to have.

The flag comes from an anytime-valid test, because it is looked at all day: the ratio of the counts' probability
under a Dirichlet prior to that under the planned shares. While the shares are as planned this ratio is a martingale
that starts at 1, so by Ville's inequality it ever reaches 1,000 with a chance of at most 1 in 1,000. Source: Lindon &
Malek (2022), "Anytime-Valid Inference for Multinomial Count Data", NeurIPS. Half of the prior's weight stays on the
planned shares themselves, which is a martingale too and halves the false alarms; it costs little.
Pearson's chi-square stands beside it for comparison: it is right for one look only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Floats = NDArray[np.float64]
FLAG_BELOW: Final = 0.001
MINIMUM_USERS: Final = 100
# The two priors weigh as much as so many users around the planned shares: the first finds a gross mismatch with a
# hundred users, the second a small one with a hundred thousand (see `make bench-experiments`).
_PRIOR_USERS: Final = (10.0, 1_000.0)


@dataclass(frozen=True)
class SampleRatio:
    """Whether the users of one experiment are split as planned.

    Args:
        users: in all variations together.
        chi_square: Pearson's statistic, or None when a variation has no planned share.
        chi_square_p: its p, for one look.
        log_evidence: natural log of the largest evidence against the shares so far; 6.9 is 1,000 to 1.
        p: the anytime-valid p: 1 / evidence, at most 1.
        is_flagged: from 100 users on, when p is below 0.001.

    """

    users: int
    chi_square: float | None
    chi_square_p: float | None
    log_evidence: float
    p: float
    is_flagged: bool


def log_evidence(counts: ArrayLike, shares: ArrayLike) -> Floats:
    """Return the log of the Bayes factor against the planned shares (Lindon & Malek 2022).

    Its prior is half the planned shares, half two Dirichlet distributions around them; so it never falls below 1/2.

    Args:
        counts: users, shape (..., variations).
        shares: planned shares above 0 that sum to 1, shape (variations,).

    Returns:
        Natural logs, of the shape of counts without its last axis.

    """
    seen, planned = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    ratios = [_against_prior(seen, planned, weight) for weight in _PRIOR_USERS]
    around_them = np.logaddexp(ratios[0], ratios[1]) - math.log(len(ratios))
    return np.asarray(np.logaddexp(around_them, 0.0) - math.log(2), dtype=np.float64)


def _against_prior(seen: Floats, planned: Floats, weight: float) -> Floats:
    """Return the log Bayes factor of one Dirichlet prior that weighs as much as `weight` users."""
    prior = weight * planned
    total = special.gammaln(weight) - special.gammaln(weight + seen.sum(axis=-1))
    each = special.gammaln(prior + seen) - special.gammaln(prior) - seen * np.log(planned)
    return np.asarray(total + each.sum(axis=-1), dtype=np.float64)


def chi_square(counts: list[int], shares: list[float]) -> tuple[float, float]:
    """Return Pearson's statistic and its p against the planned shares.

    Source: Pearson (1900), Philosophical Magazine 50; its use here: Fabijan et al. (2019), "Diagnosing Sample
    Ratio Mismatch in Online Controlled Experiments", KDD.

    Args:
        counts: users of each variation, at least one in all.
        shares: planned shares above 0 that sum to 1.

    """
    users = sum(counts)
    statistic = sum((n - users * share) ** 2 / (users * share) for n, share in zip(counts, shares, strict=True))
    return statistic, float(stats.chi2.sf(statistic, len(counts) - 1))


def sample_ratio(counts: list[int], shares: list[float], evidence_so_far: float = 0.0) -> SampleRatio | None:
    """Test the users of all variations of one experiment against their planned shares.

    Args:
        counts: users of each variation.
        shares: planned shares that sum to 1. Users where the share is 0 contradict the plan outright.
        evidence_so_far: the largest `log_evidence` of earlier looks.

    Returns:
        None where there is nothing to compare: fewer than two variations, or no users.

    """
    users = sum(counts)
    if len(counts) < 2 or users == 0:  # noqa: PLR2004 - one variation has no ratio
        return None
    if any(n > 0 and share <= 0 for n, share in zip(counts, shares, strict=True)):
        # The evidence is not written down as infinite: it would stay when the settings have been mended.
        return SampleRatio(users, None, None, evidence_so_far, 0.0, users >= MINIMUM_USERS)
    planned = [(n, share) for n, share in zip(counts, shares, strict=True) if share > 0]
    seen, expected = [n for n, _ in planned], [share for _, share in planned]
    evidence = max(0.0, evidence_so_far, float(log_evidence(seen, expected)))
    p = math.exp(-evidence)
    return SampleRatio(users, *chi_square(seen, expected), evidence, p, users >= MINIMUM_USERS and p < FLAG_BELOW)
