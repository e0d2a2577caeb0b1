"""Simulated experiments, looked at after every batch, judged by the project's own test functions.

Everything is an array over experiments, so that thousands run at once; the randomness comes in from outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from orchestration.experiments.sample_ratio import FLAG_BELOW, MINIMUM_USERS, log_evidence
from orchestration.experiments.sequential import Plan, cautious_variance
from orchestration.experiments.sequential import log_evidence as difference_evidence

Floats = NDArray[np.float64]
# (randomness, experiments, users, relative effect) -> sums and sums of squares over the users, an experiment each
Draw = Callable[[np.random.Generator, int, int, float], tuple[Floats, Floats]]
_CHUNK: Final = 500


def conversion(rate: float) -> Draw:
    """Return a yes-or-no metric; the effect is on its rate."""

    def draw(random: np.random.Generator, experiments: int, users: int, effect: float) -> tuple[Floats, Floats]:
        hits = random.binomial(users, rate * (1 + effect), experiments).astype(float)
        return hits, hits

    return draw


def revenue(rate: float, tail: Callable[[np.random.Generator, int], Floats]) -> Draw:
    """Return a metric that is 0 for most users and heavy-tailed for the others; the effect is on the rate."""

    def draw(random: np.random.Generator, experiments: int, users: int, effect: float) -> tuple[Floats, Floats]:
        buyers = random.binomial(users, rate * (1 + effect), experiments)
        spent = tail(random, int(buyers.sum()))
        owner = np.repeat(np.arange(experiments), buyers)
        return (
            np.bincount(owner, spent, minlength=experiments),
            np.bincount(owner, spent**2, minlength=experiments),
        )

    return draw


def lognormal(random: np.random.Generator, size: int) -> Floats:
    """Order values: median 20, the largest of 10,000 about 1,700."""
    return random.lognormal(3.0, 1.2, size)


def pareto(random: np.random.Generator, size: int) -> Floats:
    """Order values with a tail so heavy that they have a variance and no third moment."""
    return 10 * (1 + random.pareto(2.2, size))


def events(random: np.random.Generator, experiments: int, users: int, effect: float) -> tuple[Floats, Floats]:
    """Events per user: negative binomial with mean 9.5 and standard deviation 13.8; the effect is on the mean."""
    drawn = random.negative_binomial(0.5, 1 / (1 + 19 * (1 + effect)), (experiments, users)).astype(float)
    return drawn.sum(axis=1), (drawn**2).sum(axis=1)


@dataclass(frozen=True)
class Design:
    """One kind of experiment.

    Args:
        draw: the metric.
        control_batch: users of the control between two looks.
        treatment_batch: the same of the other variation.
        looks: how many.
        effect: the treatment's true relative effect, 0 for an A/A test.

    """

    draw: Draw
    control_batch: int
    treatment_batch: int
    looks: int
    effect: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What many experiments of one design came to, an array entry each.

    Args:
        anytime: the first look (from 1) at which the always-valid test found a difference; 0 for never.
        fixed: the same of the fixed test at 5 %, looked at as often.
        fixed_at_end: whether the fixed test found one when looked at once, at the last look.

    """

    anytime: NDArray[np.int64]
    fixed: NDArray[np.int64]
    fixed_at_end: NDArray[np.bool_]


def run(random: np.random.Generator, design: Design, experiments: int, plan: Plan) -> Outcome:
    """Simulate experiments of one design, a few hundred at a time."""
    sizes = [min(_CHUNK, experiments - start) for start in range(0, experiments, _CHUNK)]
    parts = [_run_chunk(random, design, size, plan) for size in sizes]
    return Outcome(
        np.concatenate([part.anytime for part in parts]),
        np.concatenate([part.fixed for part in parts]),
        np.concatenate([part.fixed_at_end for part in parts]),
    )


def _run_chunk(random: np.random.Generator, design: Design, experiments: int, plan: Plan) -> Outcome:
    batches = design.control_batch, design.treatment_batch
    sums = np.zeros((2, 2, experiments))  # total and squares, by variation
    first = {name: np.zeros(experiments, np.int64) for name in ("anytime", "fixed")}
    found_now = np.zeros(experiments, bool)
    for look in range(1, design.looks + 1):
        for arm, effect in ((0, 0.0), (1, design.effect)):
            total, squares = design.draw(random, experiments, batches[arm], effect)
            sums[0, arm] += total
            sums[1, arm] += squares
        users = look * batches[0], look * batches[1]
        if min(users) < plan.minimum_users:
            continue
        anytime, found_now = _look(sums, users, plan)
        for name, found in (("anytime", anytime), ("fixed", found_now)):
            first[name] = np.where((first[name] == 0) & found, look, first[name])
    return Outcome(first["anytime"], first["fixed"], found_now)


def _look(sums: Floats, users: tuple[int, int], plan: Plan) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which experiments the always-valid and the fixed test (Welch) call different at this look."""
    n = np.array(users, float)[:, None]
    means = sums[0] / n
    variances = np.maximum(0, sums[1] - sums[0] * means) / (n - 1)
    size = np.broadcast_to(n, variances.shape)
    variance, pooled = cautious_variance((size[0], size[1]), (variances[0], variances[1]))
    difference, some = means[1] - means[0], pooled > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = difference_evidence(difference, variance, plan.width**2 * pooled)
        parts = variances / n
        welch = np.abs(difference) / np.sqrt(parts.sum(axis=0))
        freedom = parts.sum(axis=0) ** 2 / (parts**2 / (n - 1)).sum(axis=0)
    return some & (evidence >= -math.log(plan.alpha)), some & (welch >= stats.t.isf(plan.alpha / 2, freedom))


@dataclass(frozen=True)
class Alarms:
    """What share of simulated experiments was ever flagged for its sample ratio.

    Args:
        anytime: by the test behind the flag.
        chi_square: by chi-square below 0.001, looked at as often.
        median_users: users at the flag in half of the experiments that it flagged, None without any.

    """

    anytime: float
    chi_square: float
    median_users: int | None


def sample_ratios(
    random: np.random.Generator, planned: list[float], true: list[float], batches: list[int], experiments: int
) -> Alarms:
    """Look at the split of simulated experiments after every batch.

    Args:
        random: the randomness.
        planned: the shares that the test expects.
        true: the shares that the users really have.
        batches: users between two looks.
        experiments: how many.

    """
    counts = np.zeros((experiments, len(planned)))
    flagged_at = np.zeros(experiments, np.int64)
    by_chi_square = np.zeros(experiments, bool)
    limit = stats.chi2.isf(FLAG_BELOW, len(planned) - 1)
    for users in np.cumsum(batches):
        counts += random.multinomial(int(users - counts[0].sum()), true, experiments)
        if users < MINIMUM_USERS:
            continue
        expected = users * np.array(planned)
        by_chi_square |= ((counts - expected) ** 2 / expected).sum(axis=1) > limit
        off = log_evidence(counts, planned) > -math.log(FLAG_BELOW)
        flagged_at = np.where((flagged_at == 0) & off, users, flagged_at)
    found = flagged_at[flagged_at > 0]
    median = int(np.median(found)) if found.size else None
    return Alarms(float((flagged_at > 0).mean()), float(by_chi_square.mean()), median)
