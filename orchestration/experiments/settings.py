"""What was decided about each experiment before it began, read from one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
import yaml

from contracts.errors import Permanent
from orchestration.experiments.sequential import MINIMUM_USERS, Plan

Metric: TypeAlias = Literal["conversion", "revenue_per_user", "events_per_user"]
METRICS: Final[tuple[Metric, ...]] = ("conversion", "revenue_per_user", "events_per_user")
# Converted users, purchases and events of two variations together: enough to find a change of about a tenth.
PLANNED: Final[Mapping[Metric, int]] = {"conversion": 2_000, "revenue_per_user": 2_000, "events_per_user": 100_000}
SETTINGS_FILE: Final = Path(__file__).parent / "experiments.yml"


class Guardrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A metric that must not get worse by more than a margin.

    Args:
        better: the way it is to go.
        margin: relative loss that is still accepted, 0 to 1 (0.02: 2 %).

    """

    better: Literal["up", "down"] = "up"
    margin: float = 0.0


class ExperimentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One experiment; everything has a default.

    Args:
        control: the variation the others are compared with; None: see `control_of`.
        shares: planned split by variation, in any unit; empty: equal shares of the variations seen.
        primary: the metric the verdict is about.
        better: the way it is to go.
        smallest_effect: relative change below which a difference is of no interest, or None.
        planned: by metric, converted users, purchases or events: see `sequential.Plan`; missing: see `PLANNED`.
        minimum_users: see `sequential.Plan`.
        guardrails: by metric.
        most_mixed: share of the users that may have seen two variations, 0 to 1.

    """

    control: str | None = None
    shares: dict[str, float] = {}
    primary: Metric = "conversion"
    better: Literal["up", "down"] = "up"
    smallest_effect: float | None = None
    planned: dict[Metric, int] = {}
    minimum_users: int = MINIMUM_USERS
    guardrails: dict[Metric, Guardrail] = {}
    most_mixed: float = 0.01

    def plan(self, metric: Metric) -> Plan:
        """Return what the always-valid test of a metric needs to know."""
        return Plan(self.planned.get(metric, PLANNED[metric]), self.minimum_users)


Settings: TypeAlias = Mapping[str, ExperimentSettings]


def load_settings(path: Path = SETTINGS_FILE) -> dict[str, ExperimentSettings]:
    """Read the file; an empty one is no settings.

    Raises:
        Permanent: the file is missing, is not YAML, or says something impossible; one line that names the place.

    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Permanent(f"{path.name} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise Permanent(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Permanent(f"{path.name} must have one entry an experiment, not a {type(content).__name__}")
    return {str(name): _experiment(f"{path.name}, {name}", entry) for name, entry in content.items()}


def _experiment(place: str, entry: object) -> ExperimentSettings:
    try:
        settings = msgspec.convert({} if entry is None else entry, ExperimentSettings)
    except msgspec.ValidationError as error:
        raise Permanent(f"{place}: {error}") from error
    if problem := _problem(settings):
        raise Permanent(f"{place}: {problem}")
    return settings


def _problem(settings: ExperimentSettings) -> str | None:
    """Return what is impossible about the settings, or None."""
    rules = (
        (all(0 < share < float("inf") for share in settings.shares.values()), "shares must be above 0"),
        (len(settings.shares) != 1, "shares must name every variation, and one is none to compare"),
        (
            not settings.shares or settings.control is None or settings.control in settings.shares,
            f"the control {settings.control} is not among the shares",
        ),
        (settings.smallest_effect is None or settings.smallest_effect > 0, "smallest_effect must be above 0"),
        (all(count > 0 for count in settings.planned.values()), "planned must be above 0"),
        (settings.minimum_users > 1, "minimum_users must be above 1"),
        (0 <= settings.most_mixed <= 1, "most_mixed must be from 0 to 1"),
        (
            all(0 <= rail.margin < 1 for rail in settings.guardrails.values()),
            "a guardrail's margin must be from 0 to 1",
        ),
    )
    return next((sentence for holds, sentence in rules if not holds), None)


def control_of(variations: Sequence[str], settings: ExperimentSettings) -> str | None:
    """Return the variation the others are compared with, or None when the one that was named has no users.

    Not named, it is the one called control, else a or A, else the first in the alphabet (gate_30 before gate_40).
    """
    if settings.control is not None:
        return settings.control if settings.control in variations else None
    usual = [name for wanted in ("control", "a") for name in sorted(variations) if name.lower() == wanted]
    return next(iter(usual or sorted(variations)), None)


def planned_shares(variations: Sequence[str], settings: ExperimentSettings) -> dict[str, float]:
    """Return the planned share of every variation, seen or only planned, summing to 1; 0 for one not planned."""
    if not settings.shares:
        return {name: 1 / len(variations) for name in sorted(variations)}
    total = sum(settings.shares.values())
    names = sorted({*variations, *settings.shares})
    return {name: settings.shares.get(name, 0.0) / total for name in names}
