"""What a worker has of the topic at one moment, taken once a second and read by whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from streaming.ingest.records import Partition

Rebalance = Literal["assigned", "revoked", "lost"]
REBALANCES: Final[tuple[Rebalance, ...]] = get_args(Rebalance)


@dataclass(frozen=True)
class Reading:
    """How far a partition is read.

    Args:
        next_offset: the next offset to read.
        lag: offsets from there to the partition's end; None when the end is not known yet.
    """

    next_offset: int
    lag: int | None


@dataclass(frozen=True)
class Standing:
    """The source at one moment; never changed, so any thread may read it.

    Args:
        joined: the group has answered at least once, if only with no partition.
        readings: the placed partitions.
        unplaced: partitions that wait for their first offset.
        paused: whether reading is paused.
        pauses: pauses since the start.
        rebalances: rebalances since the start, by kind.
    """

    joined: bool = False
    readings: Mapping[Partition, Reading] = field(default_factory=dict)
    unplaced: int = 0
    paused: bool = False
    pauses: int = 0
    rebalances: Mapping[Rebalance, int] = field(default_factory=lambda: dict.fromkeys(REBALANCES, 0))

    @property
    def lag(self) -> int:
        """Offsets not read yet, summed over the partitions whose end is known."""
        return sum(reading.lag or 0 for reading in self.readings.values())


@dataclass(frozen=True)
class InHand:
    """What is read and not durable yet: rows, and bytes of their message values."""

    rows: int = 0
    bytes: int = 0
