"""Experiments running in the simulated shop, with the effect each variation truly has.

The effect is relative, on the probability that an item put into the cart is bought; what a user
converts with follows from it. A user is in at most one experiment (traffic is split in layers), so
that one effect never hides in another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Variation:
    """One arm: its name, its share of the experiment's users, its true relative effect (0.25: +25 %)."""

    name: str
    share: float
    effect: float


@dataclass(frozen=True)
class Experiment:
    """One experiment: its name, its share of all users, its arms."""

    name: str
    share: float
    variations: tuple[Variation, ...]


EXPERIMENTS: Final = (
    Experiment("checkout_button", 0.4, (Variation("control", 0.5, 0.0), Variation("green", 0.5, 0.25))),
    Experiment(
        "search_ranking",
        0.3,
        (
            Variation("control", 1 / 3, 0.0),
            Variation("semantic", 1 / 3, 0.1),
            Variation("popular", 1 / 3, -0.1),
        ),
    ),
    # An A/A test: whoever finds a winner here has a bug.
    Experiment("banner_aa", 0.2, (Variation("a", 0.5, 0.0), Variation("b", 0.5, 0.0))),
)
# Arms in one list; arm 0 is "in no experiment", so that an array of zeros means that.
ARMS: Final = (
    (None, Variation("", 1 - sum(experiment.share for experiment in EXPERIMENTS), 0.0)),
    *((experiment, variation) for experiment in EXPERIMENTS for variation in experiment.variations),
)


def arm_shares() -> list[float]:
    """Return each arm's share of all users, in the order of `ARMS`."""
    return [variation.share * (experiment.share if experiment else 1.0) for experiment, variation in ARMS]


def ground_truth() -> dict[str, dict[str, dict[str, float]]]:
    """Return experiment -> variation -> share and true effect, for the ground-truth file."""
    return {
        experiment.name: {
            variation.name: {
                "share": variation.share,
                "relative_effect_on_cart_to_purchase": variation.effect,
            }
            for variation in experiment.variations
        }
        for experiment in EXPERIMENTS
    }
