"""Why an experiment's figures cannot be believed at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestration.experiments.sample_ratio import MINIMUM_USERS, SampleRatio
from orchestration.experiments.settings import ExperimentSettings


@dataclass(frozen=True)
class Health:
    """How an experiment's users are spread.

    Args:
        counts: users that count, by variation.
        shares: planned share of each.
        ratio: the test of the two, or None when there is nothing to compare.
        segments: segments in which the ratio is off, the plainest first.
        start: the hour (UTC) in which it went off, or None.
        mixed_users: users that saw two variations, at most.

    """

    counts: dict[str, int]
    shares: dict[str, float]
    ratio: SampleRatio | None
    segments: tuple[str, ...]
    start: datetime | None
    mixed_users: int

    @property
    def mixed_share(self) -> float:
        """Mixed users among all, 0 to 1."""
        everyone = sum(self.counts.values()) + self.mixed_users
        return self.mixed_users / everyone if everyone else 0.0


def broken(health: Health, settings: ExperimentSettings) -> str | None:
    """Return in one sentence why the experiment is broken, or None when it is sound."""
    if health.ratio is not None and health.ratio.is_flagged:
        return _mismatch(health, health.ratio, settings)
    everyone = sum(health.counts.values()) + health.mixed_users
    if everyone >= MINIMUM_USERS and health.mixed_share > settings.most_mixed:
        return (
            f"{100 * health.mixed_share:.2g} % of the users saw two variations, "
            f"and at most {100 * settings.most_mixed:.2g} % are accepted."
        )
    return None


def _mismatch(health: Health, ratio: SampleRatio, settings: ExperimentSettings) -> str:
    split = ", ".join(
        f"{name} has {100 * health.counts[name] / ratio.users:.2f} % in place of {100 * share:.4g} %"
        for name, share in health.shares.items()
    )
    since = f", since {health.start:%Y-%m-%d %H:%M} UTC" if health.start else ""
    where = f", by {' and '.join(health.segments[:3])}" if health.segments else ""
    hint = "" if settings.shares else " (equal shares are expected when experiments.yml names none)"
    return f"The split of {ratio.users:,} users is not as planned: {split}{since}{where}{hint}."
