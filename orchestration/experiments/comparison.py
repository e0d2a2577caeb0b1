"""Everything that is computed of one variation against the control in one metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from orchestration.experiments import power
from orchestration.experiments.cuped import Adjusted, PairSums, cuped
from orchestration.experiments.estimate import Estimate
from orchestration.experiments.means import lift_variance, relative_lift, welch
from orchestration.experiments.proportions import two_proportions
from orchestration.experiments.sample import Sample, sample
from orchestration.experiments.sequential import (
    Plan,
    always_valid,
    critical_value,
    scaled,
    standard_error,
    time_of_shares,
)
from orchestration.experiments.settings import ExperimentSettings, Guardrail, Metric

# Of each metric: its sum and sum of squares, those of the same thing before the first exposure, and of their product.
SUMS: Final[Mapping[Metric, tuple[str, str, str, str, str]]] = {
    "conversion": (
        "converted_users",
        "converted_users",
        "pre_purchases",
        "pre_purchases_sum_squares",
        "converted_pre_purchases",
    ),
    "revenue_per_user": (
        "revenue",
        "revenue_sum_squares",
        "pre_revenue",
        "pre_revenue_sum_squares",
        "revenue_pre_revenue",
    ),
    "events_per_user": ("events", "events_sum_squares", "pre_events", "pre_events_sum_squares", "events_pre_events"),
}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Detectable:
    """What the users so far can find with a chance of 80 %, in the metric's unit.

    Args:
        fixed: by a test made once, now.
        anytime: by the always-valid test.
        users_needed: more users, by the always-valid test, for the smallest effect of interest; None without one.

    """

    fixed: float
    anytime: float
    users_needed: int | None


@dataclass(frozen=True)
class Comparison:
    """One variation against the control in one metric; None is what the data cannot say.

    Args:
        metric: which.
        fixed: the test for one look: pooled z for conversion, Welch's t for the others.
        lift: the relative lift with its interval for one look.
        anytime: the test for any number of looks, with the running p.
        anytime_lift: the lift's interval for any number of looks.
        adjusted: both variations after CUPED.
        cuped_fixed: the adjusted difference for one look.
        cuped_anytime: the adjusted difference for any number of looks.
        detectable: what could be found.
        guardrail_crossed: whether the always-valid interval says that more than the margin is lost; None when the
            metric is no guardrail or nothing can be said yet.

    """

    metric: Metric
    fixed: Estimate | None = None
    lift: Estimate | None = None
    anytime: Estimate | None = None
    anytime_lift: tuple[float, float] | None = None
    adjusted: Adjusted | None = None
    cuped_fixed: Estimate | None = None
    cuped_anytime: Estimate | None = None
    detectable: Detectable | None = None
    guardrail_crossed: bool | None = None


def users_of(row: Row) -> int:
    """Return how many users of a variation's row count."""
    return int(row["exposed_users"] or 0)


def mean_of(row: Row, metric: Metric) -> float | None:
    """Return the metric per user, None without users."""
    return float(row[SUMS[metric][0]] or 0) / users_of(row) if users_of(row) else None


def sample_of(row: Row, metric: Metric) -> Sample | None:
    """Return the sample of a variation's row in one metric."""
    total, squares, *_ = SUMS[metric]
    return sample(users_of(row), row[total] or 0, row[squares] or 0)


def counted(rows: tuple[Row, Row], metric: Metric) -> float:
    """Return what the always-valid test takes for time: what has been counted in both variations together."""
    if metric != "conversion":
        column = "conversions" if metric == "revenue_per_user" else "events"
        return float(sum(row[column] or 0 for row in rows))
    users, hits = (sum(int(row[column] or 0) for row in rows) for column in ("exposed_users", "converted_users"))
    return float(time_of_shares(np.array(float(hits)), np.array(float(users))))


def compare(control: Row, treatment: Row, metric: Metric, settings: ExperimentSettings, p_so_far: float) -> Comparison:
    """Compute all figures of one variation in one metric.

    Args:
        control: the control's row of sums, see `results.STATS_COLUMNS`.
        treatment: the other variation's.
        metric: which.
        settings: what was decided beforehand.
        p_so_far: the smallest always-valid p of earlier looks.

    """
    ours, theirs = sample_of(control, metric), sample_of(treatment, metric)
    if ours is None or theirs is None:
        return Comparison(metric)
    plan, time = settings.plan(metric), counted((control, treatment), metric)
    adjusted = _cuped(control, treatment, metric, plan)
    return Comparison(
        metric,
        fixed=_fixed(control, treatment, metric, (ours, theirs)),
        lift=relative_lift(ours, theirs, plan.alpha),
        anytime=always_valid(ours, theirs, time, plan, p_so_far),
        anytime_lift=_anytime_lift(ours, theirs, time, plan),
        adjusted=adjusted,
        cuped_fixed=welch(adjusted.control, adjusted.treatment, plan.alpha) if adjusted else None,
        cuped_anytime=always_valid(adjusted.control, adjusted.treatment, time, plan) if adjusted else None,
        detectable=_detectable(ours, theirs, time, settings, metric),
        guardrail_crossed=_crossed(ours, theirs, time, settings.guardrails.get(metric), plan),
    )


def _fixed(control: Row, treatment: Row, metric: Metric, samples: tuple[Sample, Sample]) -> Estimate | None:
    if metric != "conversion":
        return welch(*samples)
    hits = [int(row["converted_users"] or 0) for row in (control, treatment)]
    return two_proportions((hits[0], users_of(control)), (hits[1], users_of(treatment)))


def _anytime_lift(control: Sample, treatment: Sample, time: float, plan: Plan) -> tuple[float, float] | None:
    variance = lift_variance(control, treatment)
    if not variance or min(control.users, treatment.users) < plan.minimum_users or time <= 0:
        return None
    reach = float(critical_value(plan.ratio(np.array(time)), plan.alpha)) * math.sqrt(variance)
    lift = treatment.mean / control.mean - 1
    return lift - reach, lift + reach


def _cuped(control: Row, treatment: Row, metric: Metric, plan: Plan) -> Adjusted | None:
    """Adjust where enough users of both variations have a past: with a handful the slope would be chance."""
    if min(int(row["users_with_history"] or 0) for row in (control, treatment)) < plan.minimum_users:
        return None
    y, yy, x, xx, xy = SUMS[metric]
    sums = [
        PairSums(users_of(row), *(row[column] or 0 for column in (y, yy, x, xx, xy))) for row in (control, treatment)
    ]
    return cuped(sums[0], sums[1])


def _detectable(
    control: Sample, treatment: Sample, time: float, settings: ExperimentSettings, metric: Metric
) -> Detectable | None:
    plan, variance = settings.plan(metric), standard_error(control, treatment) ** 2
    if variance <= 0 or time <= 0:
        return None

    def critical(at: float) -> float:
        # More users make the variance smaller, and as much more is counted.
        return float(critical_value(plan.ratio(np.array(time * variance / at)), plan.alpha))

    effect = abs(control.mean) * settings.smallest_effect if settings.smallest_effect else None
    return Detectable(
        fixed=power.detectable_effect(variance, power.fixed_critical(plan.alpha)),
        anytime=power.detectable_effect(variance, critical(variance)),
        users_needed=power.users_still_needed(control.users + treatment.users, variance, effect, critical)
        if effect and metric == settings.primary
        else None,
    )


def _crossed(control: Sample, treatment: Sample, time: float, rail: Guardrail | None, plan: Plan) -> bool | None:
    """Return whether treatment - (1 -+ margin) x control is surely on the wrong side of 0."""
    if rail is None:
        return None
    sign = 1 if rail.better == "up" else -1
    loss = always_valid(scaled(control, 1 - sign * rail.margin), treatment, time, plan)
    if loss is None:
        return None
    return loss.high < 0 if rail.better == "up" else loss.low > 0
