"""Simulated experiments, looked at after every batch, judged by the project's own test functions.

Everything is an array over experiments, so that thousands run at once; the randomness comes in from outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.experiment_metrics import Floats, Metric, Sums
from orchestration.experiments.sample_ratio import FLAG_BELOW, MINIMUM_USERS, log_evidence
from orchestration.experiments.sequential import Plan, cautious_variance, time_of_shares
from orchestration.experiments.sequential import log_evidence as difference_evidence
from orchestration.experiments.settings import ExperimentSettings

_CHUNK: Final = 250


@dataclass(frozen=True)
class Design:
    """One kind of experiment.

    Args:
        metric: what is measured, and how users make it.
        control_batch: users of the control that come between two looks.
        treatment_batch: the same of the other variation.
        looks: how many.
        effect: the treatment's true relative effect, 0 for an A/A test.
        arriving: looks during which users come; later, those who came go on acting. None: always.

    """

    metric: Metric
    control_batch: int
    treatment_batch: int
    looks: int
    effect: float = 0.0
    arriving: int | None = None


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


def run(random: np.random.Generator, design: Design, experiments: int) -> Outcome:
    """Simulate experiments of one design with the default plan, a few hundred at a time."""
    sizes = [min(_CHUNK, experiments - start) for start in range(0, experiments, _CHUNK)]
    parts = [_run_chunk(random, design, size) for size in sizes]
    return Outcome(
        np.concatenate([part.anytime for part in parts]),
        np.concatenate([part.fixed for part in parts]),
        np.concatenate([part.fixed_at_end for part in parts]),
    )


def _run_chunk(random: np.random.Generator, design: Design, experiments: int) -> Outcome:
    plan = ExperimentSettings().plan(design.metric.name)
    batches = design.control_batch, design.treatment_batch
    arms = [design.metric.start(experiments) for _ in batches]
    first = {name: np.zeros(experiments, np.int64) for name in ("anytime", "fixed")}
    found_now = np.zeros(experiments, bool)
    for look in range(1, design.looks + 1):
        for arm, batch, effect in zip(arms, batches, (0.0, design.effect), strict=True):
            arm.act(random, 0 if design.arriving and look > design.arriving else batch, effect)
        if min(arm.users for arm in arms) < plan.minimum_users:
            continue
        anytime, found_now = _look(arms, plan, is_share=design.metric.name == "conversion")
        for name, found in (("anytime", anytime), ("fixed", found_now)):
            first[name] = np.where((first[name] == 0) & found, look, first[name])
    return Outcome(first["anytime"], first["fixed"], found_now)


def _look(arms: list[Sums], plan: Plan, *, is_share: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which experiments the always-valid and the fixed test (Welch) call different at this look."""
    n = np.array([[float(arm.users)] for arm in arms])
    totals = np.array([arm.total for arm in arms])
    means = totals / n
    variances = np.maximum(0, np.array([arm.squares for arm in arms]) - totals * means) / (n - 1)
    size = np.broadcast_to(n, variances.shape)
    variance = cautious_variance((size[0], size[1]), (variances[0], variances[1]))
    counted: Floats = sum((arm.counted for arm in arms), np.zeros(totals.shape[1]))
    counted = time_of_shares(counted, size.sum(axis=0)) if is_share else counted
    some = (variance > 0) & (counted > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (means[1] - means[0]) / np.sqrt(variance)
        evidence = difference_evidence(z, plan.ratio(counted))
        parts = variances / n
        welch = np.abs(means[1] - means[0]) / np.sqrt(parts.sum(axis=0))
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
