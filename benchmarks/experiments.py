"""What the experiment statistics promise, simulated: `python -m benchmarks.experiments --experiments 2000`.

A/A experiments looked at after every batch (how often a difference is found that is not there), true effects (how
much later than with a fixed test they are found), and sample ratios over a long life. Prints the tables, writes
`var/bench/experiments.json`, and exits 1 when a promise is not kept.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any, Final

import numpy as np
from scipy import stats

from benchmarks.experiment_metrics import Metric, acting, conversion, events, lognormal, one, pareto, revenue
from benchmarks.experiment_simulations import Design, run, sample_ratios
from contracts.settings import load_settings
from orchestration.experiments.power import detectable_effect, fixed_critical
from orchestration.experiments.sample_ratio import FLAG_BELOW, sample_ratio
from streaming.produce.record import write_json

SEED: Final = 20_260_101
ALPHA: Final = 0.05
_LOOKS: Final = 200
_METRICS: Final[dict[str, Metric]] = {
    "conversion 5 %": conversion(0.05),
    "conversion 1 %": conversion(0.01),
    "revenue, 5 % buy, lognormal": revenue(0.05, lognormal),
    "revenue, 2 % buy, Pareto 2.2": revenue(0.02, pareto),
    "events, negative binomial": events(),
}
_SPLITS: Final = ((100, 100), (180, 20))
# Users who go on acting after they came: all come in the first half of the looks, or all before the first.
_MOST: Final = 10_000
_LASTING: Final[dict[str, Metric]] = {
    "conversion, later and later": conversion(0.0, 0.003),
    "conversion, in the end nearly all": conversion(0.0, 0.02),
    "revenue, again and again": acting("revenue_per_user", 0.002, lognormal, _MOST),
    "events, again and again": acting("events_per_user", 0.02, one, _MOST),
}
_ARRIVING: Final = (100, 1)
_EFFECTS: Final = (("conversion 10 %", conversion(0.1)), ("revenue, 10 % buy, lognormal", revenue(0.1, lognormal)))
_SHARES: Final = ([0.5, 0.5], [0.9, 0.1], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.3, 0.2])
_LIFE: Final = [100] * 500 + [2_000] * 500


def upper_bound(hits: int, trials: int) -> float:
    """Return the upper end of the two-sided 95 % interval of a share (Clopper & Pearson 1934, Biometrika 26)."""
    return 1.0 if hits == trials else float(stats.beta.ppf(0.975, hits + 1, trials - hits))


def fair_designs() -> dict[tuple[str, str], Design]:
    """Return the A/A experiments by metric and how the users come."""
    by_split = {
        (name, f"{control // 2}/{treatment // 2}"): Design(metric, control, treatment, _LOOKS)
        for name, metric in _METRICS.items()
        for control, treatment in _SPLITS
    }
    lasting = {
        (name, f"50/50, come by look {last}"): Design(metric, _MOST // last, _MOST // last, _LOOKS, arriving=last)
        for name, metric in _LASTING.items()
        for last in _ARRIVING
    }
    return by_split | lasting


def fair_experiments(random: np.random.Generator, experiments: int) -> list[dict[str, Any]]:
    """Return, for each A/A design, how often a difference was found."""
    table = []
    for (name, split), design in fair_designs().items():
        seen = run(random, design, experiments)
        hits = int((seen.anytime > 0).sum())
        table.append(
            {
                "metric": name,
                "split": split,
                "experiments": experiments,
                "looks": _LOOKS,
                "anytime": hits / experiments,
                "anytime_upper": upper_bound(hits, experiments),
                "fixed_peeking": float((seen.fixed > 0).mean()),
                "fixed_once": float(seen.fixed_at_end.mean()),
            }
        )
    return table


def users_for(metric: Metric, effect: float, random: np.random.Generator) -> int:
    """Return the users of each variation with which a fixed test finds a relative effect in 80 % of all cases."""
    many = metric.start(1)
    many.act(random, 2_000_000, 0.0)
    mean = float(many.total[0]) / many.users
    variance = float(many.squares[0]) / many.users - mean**2
    per_error = detectable_effect(2 * variance, fixed_critical()) / (effect * mean)
    return math.ceil(per_error**2)


def true_effects(random: np.random.Generator, experiments: int) -> list[dict[str, Any]]:
    """Return how soon true effects are found, in multiples of the users that a fixed test is planned with."""
    table = []
    for name, metric in _EFFECTS:
        for effect in (0.05, 0.1, 0.2):
            planned = users_for(metric, effect, random)
            design = Design(metric, planned // 50, planned // 50, 250, effect)  # five times the fixed test's users
            seen = run(random, design, experiments)
            at = np.where(seen.anytime > 0, seen.anytime / 50, np.inf)
            table.append(
                {
                    "metric": name,
                    "effect": effect,
                    "experiments": experiments,
                    "fixed_users": 2 * planned,
                    "fixed_power": float(run(random, _once(design, planned), experiments).fixed_at_end.mean()),
                    "anytime_power_at_1x": float((at <= 1).mean()),
                    "anytime_power_at_2x": float((at <= 2).mean()),  # noqa: PLR2004 - twice the users
                    "anytime_power_at_5x": float(np.isfinite(at).mean()),
                    "median_times_fixed": float(np.quantile(at, 0.5, method="lower")),
                    "times_fixed_for_80_percent": float(np.quantile(at, 0.8, method="higher")),
                }
            )
    return table


def _once(design: Design, users: int) -> Design:
    return Design(design.metric, users, users, 1, design.effect)


def splits(random: np.random.Generator, experiments: int) -> dict[str, Any]:
    """Return the false alarms of the sample ratio test over a long life, and what it finds of planted mismatches."""
    fair = []
    for shares in _SHARES:
        alarms = sample_ratios(random, shares, shares, _LIFE, experiments)
        hits = round(alarms.anytime * experiments)
        fair.append(
            {
                "shares": " / ".join(f"{100 * share:.3g}" for share in shares),
                "experiments": experiments,
                "looks": len(_LIFE),
                "users": sum(_LIFE),
                "anytime": alarms.anytime,
                "anytime_upper": upper_bound(hits, experiments),
                "chi_square_peeking": alarms.chi_square,
            }
        )
    planted = []
    for share in (0.51, 0.52, 0.55):
        found = sample_ratios(random, [0.5, 0.5], [share, 1 - share], [1_000] * 100, 5_000)
        planted.append({"share": share, "found_by_100000": found.anytime, "median_users": found.median_users})
    exact = sample_ratio([51_000, 49_000], [0.5, 0.5])
    return {"fair": fair, "planted": planted, "exact_51_49_p": exact.p if exact else None}


def report(result: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    lines = [
        "| A/A experiments | split | always-valid (95 % bound) | fixed, peeking | fixed, one look |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['metric']} | {row['split']} | {row['anytime']:.2%} ({row['anytime_upper']:.2%}) | "
        f"{row['fixed_peeking']:.1%} | {row['fixed_once']:.1%} |"
        for row in result["fair"]
    ]
    lines += [
        "",
        "| true effect | users of a fixed test | its power | always-valid at 1x, 2x, 5x | found by half | by 80 % |",
    ]
    lines += ["|---|---|---|---|---|---|"]
    lines += [
        f"| {row['metric']}, +{row['effect']:.0%} | {row['fixed_users']:,} | {row['fixed_power']:.0%} | "
        f"{row['anytime_power_at_1x']:.0%}, {row['anytime_power_at_2x']:.0%}, {row['anytime_power_at_5x']:.1%} | "
        f"{row['median_times_fixed']:.2f}x | {row['times_fixed_for_80_percent']:.2f}x |"
        for row in result["effects"]
    ]
    lines += [
        "",
        "| fair split | experiments x looks | flagged (95 % bound) | chi-square, peeking |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['shares']} | {row['experiments']:,} x {row['looks']:,} | {row['anytime']:.3%} "
        f"({row['anytime_upper']:.3%}) | {row['chi_square_peeking']:.2%} |"
        for row in result["splits"]["fair"]
    ]
    lines += ["", "| planted split | flagged by 100,000 users | half of them by |", "|---|---|---|"]
    lines += [
        f"| {100 * row['share']:.0f}/{100 - 100 * row['share']:.0f} | {row['found_by_100000']:.1%} | "
        f"{row['median_users']:,} users |"
        for row in result["splits"]["planted"]
    ]
    return "\n".join([*lines, "", f"51,000 against 49,000: anytime-valid p {result['splits']['exact_51_49_p']:.1e}"])


def kept(result: dict[str, Any]) -> bool:
    """Return whether the promises are kept: at most 5 % even at the bound, at most 0.1 %, and 51/49 is found."""
    return (
        all(row["anytime_upper"] <= ALPHA for row in result["fair"])
        and all(row["anytime"] <= FLAG_BELOW for row in result["splits"]["fair"])
        and result["splits"]["exact_51_49_p"] < FLAG_BELOW
    )


def main() -> int:
    """Simulate, print, write; 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2_000, help="of each kind; sample ratios: 50 times as many")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    random = np.random.default_rng(chosen.seed)
    result = {
        "seed": chosen.seed,
        "fair": fair_experiments(random, chosen.experiments),
        "effects": true_effects(random, chosen.experiments),
        "splits": splits(random, 50 * chosen.experiments),
    }
    result["kept"] = kept(result)
    print(report(result))  # noqa: T201 - the table is this program's output
    write_json(load_settings().millrace_home / "bench" / "experiments.json", result)
    return 0 if result["kept"] else 1


if __name__ == "__main__":
    sys.exit(main())
