"""What the settings say an event may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.settings import Settings


@dataclass(frozen=True)
class DecodePolicy:
    """Bounds beyond which a message is a dead letter.

    Args:
        earliest: the earliest event time; a smaller number is usually seconds sent as milliseconds.
        ahead: how far an event time may lie in the future; clocks of clients run ahead by minutes, and by hours
            where the zone is wrong.
        max_bytes: size of a message's value.
    """

    earliest: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    ahead: timedelta = timedelta(hours=24)
    max_bytes: int = 1_000_000

    @classmethod
    def of(cls, settings: Settings) -> DecodePolicy:
        """Return the policy that the settings ask for."""
        day = settings.ingest_earliest
        return cls(
            datetime(day.year, day.month, day.day, tzinfo=UTC),
            timedelta(hours=settings.ingest_max_ahead_hours),
            settings.ingest_max_event_bytes,
        )
