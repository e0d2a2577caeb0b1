"""The injected clock: nothing below the command line asks the operating system for the time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What a hop may know about time."""

    def now(self) -> datetime:
        """Return the present moment, zone-aware in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for measuring durations."""

    def sleep(self, seconds: float) -> None:
        """Wait this many seconds."""


class SystemClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """Return the present moment, zone-aware in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the system's monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds`."""
        time.sleep(seconds)


@dataclass
class ManualClock:
    """A clock for tests: it moves only when it is told to, and `sleep` moves it."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    elapsed: float = 0.0

    def now(self) -> datetime:
        """Return the moment the test has set."""
        return self.moment

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        """Move the clock forward without waiting."""
        self.elapsed += seconds
        self.moment += timedelta(seconds=seconds)
