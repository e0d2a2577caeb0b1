"""What can be asked of the simulator, checked once; every refusal names the option and what it may hold."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import UserError


@dataclass(frozen=True)
class FaultOptions:
    """Planted faults, as shares of the events (0 to 1).

    Args:
        late: share of events whose event time lies `late_hours` in the past.
        late_hours: how late, in hours.
        duplicate: share of events sent twice, byte for byte.
        malformed: share of events replaced by something no consumer can read.
        skew: share of users whose device clock is wrong.
        skew_minutes: by how much it is wrong, in minutes; positive is ahead.
    """

    late: float = 0.0
    late_hours: float = 3.0
    duplicate: float = 0.0
    malformed: float = 0.0
    skew: float = 0.0
    skew_minutes: float = 5.0


@dataclass(frozen=True)
class SpikeOptions:
    """A sales spike on one item of middling popularity, in the live phase.

    Args:
        after: seconds from the start of the live phase; None plants none.
        duration: how long it lasts, in seconds.
        per_second: extra purchases per second, on top of `rate`.
    """

    after: float | None = None
    duration: float = 60.0
    per_second: float = 5.0


@dataclass(frozen=True)
class SimulatorOptions:
    """What to simulate.

    Args:
        seed: the same seed gives the same shop, the same users and the same events.
        users, items: size of the population and of the catalogue.
        history_days, history_events: history before live: how far back, and how many events; 0 is none.
        rate: live events per second.
        interval: seconds between two sends when live.
        batch_size: events handed to Kafka at a time at most.
        speed_up: how many times faster simulated time runs when live.
        count, duration: live stops after so many events, or seconds; None is "until stopped", 0 is no live.
        faults, spike: what to plant.
    """

    seed: int = 1
    users: int = 20_000
    items: int = 1_000
    history_days: float = 0.0
    history_events: int = 0
    rate: float = 500.0
    interval: float = 0.1
    batch_size: int = 20_000
    speed_up: float = 1.0
    count: int | None = None
    duration: float | None = None
    faults: FaultOptions = FaultOptions()
    spike: SpikeOptions = SpikeOptions()

    def checked(self) -> SimulatorOptions:
        """Return these options, or raise `UserError` naming the first one that is out of range."""
        _within("--seed", self.seed, 0, 2**32)
        _within("--users", self.users, 1, 10_000_000)
        _within("--items", self.items, 1, 1_000_000)
        _within("--history-days", self.history_days, 0, 3_650)
        _within("--history-events", self.history_events, 0, 10**10)
        _within("--rate", self.rate, 0.1, 1_000_000)
        _within("--interval", self.interval, 0.01, 60)
        _within("--batch-size", self.batch_size, 1, 100_000)
        _within("--speed-up", self.speed_up, 1, 100_000)
        self._check_ends()
        for name in ("late", "duplicate", "malformed", "skew"):
            _within(f"--{name}", getattr(self.faults, name), 0, 1)
        _within("--late-hours", self.faults.late_hours, 0, 24 * 365)
        _within("--skew-minutes", self.faults.skew_minutes, -24 * 60, 24 * 60)
        if self.spike.after is not None:
            _within("--spike-after", self.spike.after, 0, 10**6)
            _within("--spike-duration", self.spike.duration, 1, 10**6)
            _within("--spike-rate", self.spike.per_second, 0.01, 10_000)
        return self

    def live_seconds(self) -> float | None:
        """Return how long live lasts in wall-clock seconds; None when it runs until it is stopped."""
        ends = [self.duration, None if self.count is None else self.count / self.rate]
        known = [end for end in ends if end is not None]
        return min(known) if known else None

    def _check_ends(self) -> None:
        if (self.history_days > 0) != (self.history_events > 0):
            raise UserError("--history-days and --history-events go together: give both, above 0, or neither")
        if self.count is not None:
            _within("--count", self.count, 0, 10**12)
        if self.duration is not None:
            _within("--duration", self.duration, 0, 10**9)
        if self.speed_up > 1 and self.live_seconds() is None:
            # Simulated time must not run into the future, so its start has to be set back: by how much?
            raise UserError("--speed-up above 1 needs --duration or --count, so that simulated time ends now")


def _within(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{option} {value:g}: must be between {low:,} and {high:,}")
