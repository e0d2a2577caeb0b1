"""The columns of the experiment results, and a comparison written into them; docs/experiments.md explains each."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from orchestration.experiments.broken import Health
from orchestration.experiments.comparison import Comparison, Row, mean_of, users_of
from orchestration.experiments.estimate import Estimate

_TEXT, _COUNT, _FIGURE, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

RESULT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "experiment_name": _TEXT,
    "experiment_variation": _TEXT,
    "control_variation": _TEXT,
    "metric": _TEXT,
    "is_primary": _FLAG,
    "users": _COUNT,
    "control_users": _COUNT,
    "mean": _FIGURE,
    "control_mean": _FIGURE,
    "difference": _FIGURE,
    "difference_low": _FIGURE,
    "difference_high": _FIGURE,
    "statistic": _FIGURE,
    "p": _FIGURE,
    "p_adjusted": _FIGURE,
    "lift": _FIGURE,
    "lift_low": _FIGURE,
    "lift_high": _FIGURE,
    "anytime_low": _FIGURE,
    "anytime_high": _FIGURE,
    "anytime_p": _FIGURE,
    "anytime_p_adjusted": _FIGURE,
    "anytime_lift_low": _FIGURE,
    "anytime_lift_high": _FIGURE,
    "cuped_difference": _FIGURE,
    "cuped_low": _FIGURE,
    "cuped_high": _FIGURE,
    "cuped_anytime_low": _FIGURE,
    "cuped_anytime_high": _FIGURE,
    "cuped_variance_reduction": _FIGURE,
    "detectable": _FIGURE,
    "detectable_lift": _FIGURE,
    "anytime_detectable": _FIGURE,
    "anytime_detectable_lift": _FIGURE,
    "users_still_needed": _COUNT,
    "is_guardrail": _FLAG,
    "guardrail_crossed": _FLAG,
    "planned_count": _COUNT,
    "planned_shares": _TEXT,
    "srm_chi_square": _FIGURE,
    "srm_chi_square_p": _FIGURE,
    "srm_anytime_p": _FIGURE,
    "srm_log_evidence": _FIGURE,
    "srm_flagged": _FLAG,
    "srm_segments": pl.List(pl.String()),
    "srm_start_hour": pl.Datetime("us", "UTC"),
    "mixed_users": _COUNT,
    "mixed_share": _FIGURE,
    "verdict": _TEXT,
    "reason": _TEXT,
}


def figures(treatment: Row, control: Row | None, compared: Comparison, health: Health) -> dict[str, Any]:
    """Return the columns that one comparison and the experiment's health fill; what they cannot say is None.

    Args:
        treatment: the variation's row of sums.
        control: the control's, or None where there is none.
        compared: the figures.
        health: how the experiment's users are spread.

    """
    return {
        "experiment_variation": treatment["experiment_variation"],
        "control_variation": control["experiment_variation"] if control else None,
        "metric": compared.metric,
        "users": users_of(treatment),
        "control_users": users_of(control) if control else None,
        "mean": mean_of(treatment, compared.metric),
        "control_mean": mean_of(control, compared.metric) if control else None,
        "guardrail_crossed": compared.guardrail_crossed,
        **_difference(compared),
        **_adjusted(compared),
        **_detectable(compared, mean_of(control, compared.metric) if control else None),
        **_health(health),
    }


def _span(prefix: str, estimate: Estimate | None) -> dict[str, float | None]:
    return {
        f"{prefix}_low": estimate.low if estimate else None,
        f"{prefix}_high": estimate.high if estimate else None,
    }


def _difference(compared: Comparison) -> dict[str, float | None]:
    fixed, lift, anytime = compared.fixed, compared.lift, compared.anytime
    low, high = compared.anytime_lift or (None, None)
    return {
        "difference": fixed.value if fixed else None,
        **_span("difference", fixed),
        "statistic": fixed.statistic if fixed else None,
        "p": fixed.p if fixed else None,
        "lift": lift.value if lift else None,
        **_span("lift", lift),
        **_span("anytime", anytime),
        "anytime_p": anytime.p if anytime else None,
        "anytime_lift_low": low,
        "anytime_lift_high": high,
    }


def _adjusted(compared: Comparison) -> dict[str, float | None]:
    return {
        "cuped_difference": compared.cuped_fixed.value if compared.cuped_fixed else None,
        **_span("cuped", compared.cuped_fixed),
        **_span("cuped_anytime", compared.cuped_anytime),
        "cuped_variance_reduction": compared.adjusted.variance_reduction if compared.adjusted else None,
    }


def _detectable(compared: Comparison, control_mean: float | None) -> dict[str, float | int | None]:
    found = compared.detectable
    base = control_mean if control_mean is not None and control_mean > 0 else None
    return {
        "detectable": found.fixed if found else None,
        "detectable_lift": found.fixed / base if found and base else None,
        "anytime_detectable": found.anytime if found else None,
        "anytime_detectable_lift": found.anytime / base if found and base else None,
        "users_still_needed": found.users_needed if found else None,
    }


def _health(health: Health) -> dict[str, Any]:
    ratio = health.ratio
    return {
        "srm_chi_square": ratio.chi_square if ratio else None,
        "srm_chi_square_p": ratio.chi_square_p if ratio else None,
        "srm_anytime_p": ratio.p if ratio else None,
        "srm_log_evidence": ratio.log_evidence if ratio else None,
        "srm_flagged": ratio is not None and ratio.is_flagged,
        "srm_segments": list(health.segments),
        "srm_start_hour": health.start,
        "mixed_users": health.mixed_users,
        "mixed_share": health.mixed_share,
    }
