"""How unusual a count is when its expected value is known: tails, evidence and spread, for whole arrays at once.

A count is taken as Poisson with a rate that itself varies by a gamma factor of mean 1 and variance `dispersion`: a
negative binomial of mean m and variance m + dispersion * m^2 (Greenwood & Yule 1920, J. R. Stat. Soc. 83).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]

# Below this a negative binomial is a Poisson to all digits that matter, and its formula loses them.
_LEAST: Final = 1e-9
# The multiples of the expected rate that the evidence of a running hour is on the look-out for.
MULTIPLES: Final = (2.0, 3.0, 5.0, 10.0, 30.0)
# Of hours without a busy item nothing can be learned: factors that vary by 20 %. A pool of 0 would forget all.
_UNKNOWN: Final = 0.04
_LOWEST_POOL: Final = 0.001


def upper_tail(counts: Floats, expected: Floats, dispersion: Floats) -> Floats:
    """Return P(X >= count): the share of ordinary hours that look at least as high.

    Source: the distribution function of the negative binomial is an incomplete beta function (Johnson, Kemp & Kotz
    2005, "Univariate Discrete Distributions", 5.6), that of the Poisson an incomplete gamma function.

    Args:
        counts: what was seen, from 0 on.
        expected: means, above 0.
        dispersion: variances of the gamma factor, from 0 (Poisson) on.

    """
    shape = 1.0 / np.maximum(dispersion, _LEAST)
    at_least_one = np.maximum(counts, 1.0)
    spread = special.betainc(at_least_one, shape, expected / (expected + shape))
    poisson = special.gammainc(at_least_one, expected)
    tail: Floats = np.where(counts <= 0, 1.0, np.where(dispersion < _LEAST, poisson, spread))
    return tail


def lower_tail(counts: Floats, expected: Floats, dispersion: Floats) -> Floats:
    """Return P(X <= count): the share of ordinary hours that look at least as low; arguments as `upper_tail`."""
    shape = 1.0 / np.maximum(dispersion, _LEAST)
    spread = special.betainc(shape, counts + 1.0, shape / (expected + shape))
    tail: Floats = np.where(dispersion < _LEAST, special.gammaincc(counts + 1.0, expected), spread)
    return tail


def anytime_tail(counts: Floats, expected: Floats, dispersion: Floats) -> Floats:
    """Return p values for a count that still grows, which may be looked at as often as one likes.

    The likelihood of the whole path under a rate that is `MULTIPLES` times the expected one, over that under the
    expected one, depends on nothing but the present count and the present expected value. It is a martingale of mean
    1 while all is ordinary, so it ever exceeds 1/a with a probability of at most a, and its inverse is a p value at
    any moment.

    Source: Ville (1939), "Etude critique de la notion de collectif"; for p values from such evidence Vovk & Wang
    (2021), Ann. Stat. 49.

    Args:
        counts: what was seen so far.
        expected: means for the time so far, above 0.
        dispersion: as `upper_tail`; the gamma factor stays the same within an hour.

    """
    shape = 1.0 / np.maximum(dispersion, _LEAST)
    logs = [
        counts * np.log(times) - (counts + shape) * np.log1p((times - 1.0) * expected / (shape + expected))
        for times in MULTIPLES
    ]
    evidence = special.logsumexp(np.stack(logs), axis=0) - np.log(len(MULTIPLES))
    p: Floats = np.exp(-np.maximum(evidence, 0.0))
    return p


def upper_limit(expected: Floats, dispersion: Floats, share: float) -> Floats:
    """Return the count that all but `share` of ordinary hours stay below or at."""
    shape = 1.0 / np.maximum(dispersion, _LEAST)
    return np.asarray(stats.nbinom.isf(share, shape, shape / (shape + expected)), dtype=np.float64)


def pooled_dispersion(excess: Floats, scale: Floats, hours: int) -> Floats:
    """Return each item's dispersion, drawn towards that of its fellows as far as its own is uncertain.

    An item's own is the moment estimate excess / scale: by how much its squared deviations exceed its expected
    values (Poisson's variance), over the squares of those. Its standard error is about
    sqrt(2 / hours) * (1 + d * m) / m for a mean m an hour. The fellows' is the median of the items that sell at
    least once an hour, and counts as much as an estimate with an error as large as itself would.

    Source: moment estimate: Anscombe (1949), Biometrics 5; drawing together: Efron & Morris (1975), JASA 70.

    Args:
        excess: sum of (count - mean)^2 - mean over an item's hours.
        scale: sum of mean^2.
        hours: number of hours they were summed over.

    """
    own = np.divide(excess, scale, out=np.zeros_like(excess), where=scale > 0)
    mean = np.sqrt(scale / max(hours, 1))
    busy = own[mean >= 1.0]
    pool = max(float(np.median(busy)) if busy.size else _UNKNOWN, _LOWEST_POOL)
    certainty = hours * mean**2 / (2.0 * (1.0 + pool * mean) ** 2)
    weight = certainty / (certainty + 1.0 / pool**2)
    drawn: Floats = np.maximum(weight * own + (1.0 - weight) * pool, 0.0)
    return drawn
