"""Experiment results: one row for each experiment, variation and metric, from the sums the marts keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from orchestration.experiments.broken import Health, broken
from orchestration.experiments.columns import RESULT_SCHEMA, figures
from orchestration.experiments.comparison import Comparison, Row, compare, mean_of, users_of
from orchestration.experiments.mismatch import off_segments, start_hour
from orchestration.experiments.multiple import adjusted
from orchestration.experiments.sample_ratio import sample_ratio
from orchestration.experiments.settings import (
    METRICS,
    ExperimentSettings,
    Metric,
    Settings,
    control_of,
    planned_shares,
)
from orchestration.experiments.verdict import Case, Decision, judge

# Sums over the exposed users of one variation who saw no other one, from their first exposure on; what begins with
# pre_ is the same before it, and a_b is the sum of the products.
STATS_COLUMNS: Final = (
    "experiment_name",
    "experiment_variation",
    "exposed_users",
    "converted_users",
    "conversions",
    "revenue",
    "revenue_sum_squares",
    "events",
    "events_sum_squares",
    "mixed_users",
    "users_with_history",
    "pre_purchases",
    "pre_purchases_sum_squares",
    "converted_pre_purchases",
    "pre_revenue",
    "pre_revenue_sum_squares",
    "revenue_pre_revenue",
    "pre_events",
    "pre_events_sum_squares",
    "events_pre_events",
)


@dataclass(frozen=True)
class _Earlier:
    """What earlier looks found under the same plan: the smallest p, the largest evidence against the split."""

    p: Mapping[tuple[str, str, str, str, int], float]
    evidence: Mapping[tuple[str, str], float]


def experiment_results(
    stats: pl.DataFrame, exposures: pl.DataFrame, settings: Settings, earlier: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Compute every figure and the verdict.

    Args:
        stats: one row an experiment and variation, with `STATS_COLUMNS`; sums may be Decimal, float or null (0).
        exposures: exposed users by experiment_name, experiment_variation, exposure_hour (UTC), device_type, country.
        settings: by experiment name; one that is missing has the defaults.
        earlier: results of earlier looks (the last one is enough, more do no harm), or None. What they found
            counts only under the same control, planned count and planned shares.

    Returns:
        One row an experiment, variation other than the control, and metric, with `RESULT_SCHEMA`, in that order.
        An experiment with nothing to compare has rows, too, of each variation it has, without figures.

    """
    memory = _remember(earlier)
    found: list[dict[str, Any]] = []
    for (name,), rows in (
        stats.select(STATS_COLUMNS).sort(STATS_COLUMNS[:2]).group_by("experiment_name", maintain_order=True)
    ):
        seen = exposures.filter(pl.col("experiment_name") == name)
        chosen = settings.get(str(name), ExperimentSettings())
        found += _experiment({str(row["experiment_variation"]): row for row in rows.to_dicts()}, seen, chosen, memory)
    return pl.DataFrame(found, schema=RESULT_SCHEMA, orient="row")


def _remember(earlier: pl.DataFrame | None) -> _Earlier:
    if earlier is None or earlier.is_empty():
        return _Earlier({}, {})
    test = ["experiment_name", "experiment_variation", "control_variation", "metric", "planned_count"]
    split = ["experiment_name", "planned_shares"]
    p = earlier.drop_nulls([*test, "anytime_p"]).group_by(test).agg(pl.col("anytime_p").min())
    evidence = earlier.drop_nulls([*split, "srm_log_evidence"]).group_by(split).agg(pl.col("srm_log_evidence").max())
    return _Earlier(
        {(name, arm, control, metric, planned): smallest for name, arm, control, metric, planned, smallest in p.rows()},
        {(name, shares): largest for name, shares, largest in evidence.rows()},
    )


def _experiment(
    rows: Mapping[str, Row], exposures: pl.DataFrame, settings: ExperimentSettings, memory: _Earlier
) -> list[dict[str, Any]]:
    """Return the result rows of one experiment, given its rows of sums by variation."""
    name = str(next(iter(rows.values()))["experiment_name"])
    control = control_of(list(rows), settings)
    shares = planned_shares(list(rows), settings)
    plan = ", ".join(f"{arm} {share:.6g}" for arm, share in shares.items())
    health = _health(rows, exposures, shares, memory.evidence.get((name, plan), 0.0))
    if control is None or len(rows) == 1:
        told = _told(_nothing_to_compare(health, settings, list(rows)))
        found = [figures(row, None, Comparison(metric), health) | told for row in rows.values() for metric in METRICS]
    else:
        found = _against(rows, control, health, settings, memory)
    return [
        {"experiment_name": name, "planned_shares": plan} | _decided(row["metric"], settings) | row for row in found
    ]


def _decided(metric: Metric, settings: ExperimentSettings) -> dict[str, Any]:
    """Return the columns that hold what was decided about a metric beforehand."""
    return {
        "planned_count": settings.plan(metric).planned,
        "is_primary": metric == settings.primary,
        "is_guardrail": metric in settings.guardrails,
    }


def _against(
    rows: Mapping[str, Row], control: str, health: Health, settings: ExperimentSettings, memory: _Earlier
) -> list[dict[str, Any]]:
    """Compare each other variation with the control in each metric, and judge it."""
    pairs = [(arm, metric) for arm in rows if arm != control for metric in METRICS]
    name = str(rows[control]["experiment_name"])
    known = [memory.p.get((name, arm, control, metric, settings.plan(metric).planned)) for arm, metric in pairs]
    compared = [
        compare(rows[control], rows[arm], metric, settings, 1.0 if p is None else p)
        for (arm, metric), p in zip(pairs, known, strict=True)
    ]
    running = [each.anytime.p if each.anytime else p for each, p in zip(compared, known, strict=True)]
    at_all_looks = adjusted(running)
    at_one_look = adjusted([each.fixed.p if each.fixed else None for each in compared])
    judged = dict(zip(pairs, zip(compared, at_all_looks, strict=True), strict=True))
    cases = _cases(rows, control, judged, settings)
    flaw = broken(health, settings)
    return [
        figures(rows[arm], rows[control], compared[place], health)
        | {"p_adjusted": at_one_look[place], "anytime_p": running[place], "anytime_p_adjusted": at_all_looks[place]}
        | _told(("broken", flaw) if flaw else judge(cases[arm]))
        for place, (arm, _) in enumerate(pairs)
    ]


def _cases(
    rows: Mapping[str, Row],
    control: str,
    compared: Mapping[tuple[str, Metric], tuple[Comparison, float | None]],
    settings: ExperimentSettings,
) -> dict[str, Case]:
    """Return, for each variation, what its verdict is based on."""
    return {
        arm: Case(
            variation=arm,
            control=control,
            users=min(users_of(rows[arm]), users_of(rows[control])),
            control_mean=mean_of(rows[control], settings.primary),
            primary=compared[arm, settings.primary][0],
            adjusted_p=compared[arm, settings.primary][1],
            crossed=tuple(metric for metric in METRICS if compared[arm, metric][0].guardrail_crossed),
            settings=settings,
        )
        for arm in rows
        if arm != control
    }


def _health(rows: Mapping[str, Row], exposures: pl.DataFrame, shares: dict[str, float], evidence: float) -> Health:
    """Return how the users are spread; where and since when is asked only of a split that is off."""
    counts = {arm: users_of(rows[arm]) if arm in rows else 0 for arm in shares}
    ratio = sample_ratio(list(counts.values()), list(shares.values()), evidence)
    planned = {arm: share for arm, share in shares.items() if share > 0}
    is_off = ratio is not None and ratio.is_flagged
    # A mixed user stands in the row of each of the two variations it saw.
    mixed = sum(int(row["mixed_users"] or 0) for row in rows.values())
    return Health(
        counts,
        shares,
        ratio,
        tuple(off_segments(exposures, planned)) if is_off else (),
        start_hour(exposures, planned) if is_off else None,
        (mixed + 1) // 2,
    )


def _nothing_to_compare(health: Health, settings: ExperimentSettings, variations: list[str]) -> Decision:
    if flaw := broken(health, settings):
        return "broken", flaw
    if len(variations) == 1:
        return "keep_running", f"Only the variation {variations[0]} has users: there is nothing to compare it with."
    return "keep_running", f"The control {settings.control} has no users: there is nothing to compare with."


def _told(decision: Decision) -> dict[str, str]:
    return {"verdict": decision[0], "reason": decision[1]}
