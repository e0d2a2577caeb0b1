"""What to do about a variation, in one word and one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from orchestration.experiments.comparison import Comparison
from orchestration.experiments.estimate import Estimate
from orchestration.experiments.settings import ExperimentSettings, Metric

Verdict: TypeAlias = Literal["keep_running", "ship", "stop", "broken"]
Decision: TypeAlias = tuple[Verdict, str]

# Of each metric: what the variation does, the unit, and the words for up and down.
_WORDS: Final[dict[Metric, tuple[str, str, str, str]]] = {
    "conversion": ("converts", " points", "better", "worse"),
    "revenue_per_user": ("earns", "", "more a user", "less a user"),
    "events_per_user": ("makes", " events", "more a user", "fewer a user"),
}
_NAMES: Final[dict[Metric, str]] = {
    "conversion": "conversion",
    "revenue_per_user": "revenue per user",
    "events_per_user": "events per user",
}


@dataclass(frozen=True)
class Case:
    """What a verdict on one variation is based on.

    Args:
        variation: its name.
        control: the control's name.
        users: of the smaller of the two.
        control_mean: the control's mean in the primary metric, or None.
        primary: the comparison in the primary metric.
        adjusted_p: its always-valid p after Benjamini-Hochberg, or None.
        crossed: guardrails that are crossed.
        settings: what was decided beforehand.

    """

    variation: str
    control: str
    users: int
    control_mean: float | None
    primary: Comparison
    adjusted_p: float | None
    crossed: tuple[Metric, ...]
    settings: ExperimentSettings


def judge(case: Case) -> Decision:
    """Return the verdict on a variation of a sound experiment; a broken one is told by `broken.broken`.

    Stop when a guardrail is crossed, when the primary metric is surely worse, or when nothing was found although the
    smallest effect of interest would have been. Ship when the primary metric is surely better. Surely means: the
    adjusted always-valid p is at most alpha and the present always-valid interval is on one side of 0. The second is
    asked for because a running p never forgets, and nobody should ship what no longer looks better.
    """
    name, plan = f"The variation {case.variation}", case.settings.plan(case.settings.primary)
    if case.crossed:
        rails = " and ".join(_NAMES[metric] for metric in case.crossed)
        return "stop", f"{name} surely loses more than the margin of the guardrail {rails} against {case.control}."
    if case.users < plan.minimum_users:
        return "keep_running", (
            f"{name} and {case.control} need {plan.minimum_users} users each before anything is said; "
            f"the smaller has {case.users:,}."
        )
    found = case.primary.anytime
    if found is None:
        return "keep_running", f"{name} and {case.control} have no difference in {_metric(case)} that could be judged."
    if case.adjusted_p is not None and case.adjusted_p <= plan.alpha and (found.low > 0 or found.high < 0):
        good = (found.value > 0) == (case.settings.better == "up")
        return ("ship" if good else "stop"), f"{name} {_difference(case, found)}."
    return _nothing_found(case, name, found)


def _nothing_found(case: Case, name: str, found: Estimate) -> Decision:
    """Return whether it is worth going on when no difference is sure."""
    smallest, detectable = case.settings.smallest_effect, case.primary.detectable
    interval = f"{_interval(case, found)}{_WORDS[case.settings.primary][1]}"
    relative = detectable.anytime / case.control_mean if detectable and case.control_mean else None
    if smallest is not None and relative is not None and 0 < relative < smallest:
        return "stop", (
            f"{name} shows no sure difference in {_metric(case)} ({interval}), "
            f"and a change of {100 * smallest:.3g} % would have been found."
        )
    outlook = ""
    if detectable and detectable.users_needed:
        outlook = f"; {detectable.users_needed:,} more users would show a change of {100 * (smallest or 0):.3g} %"
    elif relative is not None and 0 < relative < 1:
        outlook = f"; a change of {100 * relative:.2g} % would have been found"
    return "keep_running", (f"{name} shows no sure difference in {_metric(case)} yet ({interval}){outlook}.")


def _metric(case: Case) -> str:
    return _NAMES[case.settings.primary]


def _scale(case: Case) -> float:
    return 100.0 if case.settings.primary == "conversion" else 1.0


def _interval(case: Case, found: Estimate) -> str:
    low, high = (figure(end * _scale(case), (found.high - found.low) * _scale(case)) for end in (found.low, found.high))
    return f"always-valid {100 * (1 - case.settings.plan(case.settings.primary).alpha):g} % interval {low} to {high}"


def _difference(case: Case, found: Estimate) -> str:
    does, unit, more, less = _WORDS[case.settings.primary]
    if case.settings.better == "down" and case.settings.primary == "conversion":
        more, less = "more", "less"
    size = figure(abs(found.value) * _scale(case), (found.high - found.low) * _scale(case))
    return f"{does} {size}{unit} {more if found.value > 0 else less} than {case.control} ({_interval(case, found)})"


def figure(value: float, width: float) -> str:
    """Return a number with as many decimals as an interval of this width deserves: two figures of the width."""
    decimals = min(9, max(0, 1 - math.floor(math.log10(width)))) if width > 0 else 3
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text
