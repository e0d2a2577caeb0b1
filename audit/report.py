"""What an audit found, as plain values that a table, a script or a check can use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

SHOWN_RANGES: Final = 20

Verdict = Literal["complete", "unproven", "broken"]


class OffsetRange(NamedTuple):
    """The first and the last of neighbouring offsets, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """The number of offsets."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Offsets:
    """A set of offsets, of which only the first ranges are kept.

    Args:
        total: number of offsets.
        range_count: number of ranges.
        ranges: the first of them, at most SHOWN_RANGES.
    """

    total: int = 0
    range_count: int = 0
    ranges: tuple[OffsetRange, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[OffsetRange]) -> Offsets:
        """Return the set that these disjoint ranges make."""
        found = sorted(ranges)
        return cls(sum(each.size for each in found), len(found), tuple(found[:SHOWN_RANGES]))

    def plus(self, other: Offsets) -> Offsets:
        """Return this set with another that lies above it."""
        both = (self.ranges + other.ranges)[:SHOWN_RANGES]
        return Offsets(self.total + other.total, self.range_count + other.range_count, both)

    def __bool__(self) -> bool:
        return self.total > 0


NONE: Final = Offsets()


@dataclass(frozen=True)
class PartitionAudit:
    """One partition: what is there, and what became of every offset from `first` to `mark`.

    Args:
        topic, partition: which one.
        first, mark: the lowest and the highest offset that is judged; None when nothing is there. The mark is the
            highest offset in raw.events: dead letters land before the events of their batch.
        done: the mark and the dead letters right behind it; None as above.
        events, letters: rows up to the mark in raw.events and in raw.dead_letters.
        archived: how many of these left ClickHouse for the archive.
        in_hand: dead letters above `done`, of batches whose events are still on their way.
        missing: in neither table although Kafka has a message there.
        gone: in neither table, and Kafka deleted the offsets before anyone could check them.
        unchecked: in neither table, and Kafka was not asked or did not answer.
        legal: in neither table because Kafka holds no message there: a transaction's marker or aborted message, or
            what compaction removed.
        not_read: messages that Kafka has below `first`: reading began later.
        doubled: more than once in one table.
        in_both: in both tables.
        unexamined: offsets in pieces that are not as they should be but were too many to look into, or are archived.
        beyond_end: offsets above the last that the broker gave out: the topic was created anew.
        low, end: the broker's first offset and one past its last readable one; None when Kafka was not asked.
        lag: messages that are not done, at most; None when Kafka was not asked.
    """

    topic: str
    partition: int
    first: int | None = None
    mark: int | None = None
    done: int | None = None
    events: int = 0
    letters: int = 0
    archived: int = 0
    in_hand: int = 0
    missing: Offsets = NONE
    gone: Offsets = NONE
    unchecked: Offsets = NONE
    legal: Offsets = NONE
    not_read: Offsets = NONE
    doubled: Offsets = NONE
    in_both: Offsets = NONE
    unexamined: int = 0
    beyond_end: int = 0
    low: int | None = None
    end: int | None = None
    lag: int | None = None
    starts_late: bool = False

    @property
    def expected(self) -> int:
        """Offsets from `first` to `mark`."""
        return 0 if self.first is None or self.mark is None else max(0, self.mark - self.first + 1)

    @property
    def lost(self) -> int:
        """Offsets that Kafka has, that should have been read and that are in neither table."""
        return self.missing.total + (0 if self.starts_late else self.not_read.total)

    @property
    def surplus(self) -> int:
        """Offsets that are there more than once, within a table or across both."""
        return self.doubled.total + self.in_both.total

    @property
    def verdict(self) -> Verdict:
        """What this means: see `Report.verdict`."""
        if self.lost or self.surplus or self.beyond_end:
            return "broken"
        return "unproven" if self.gone or self.unchecked or self.unexamined else "complete"


@dataclass(frozen=True)
class Report:
    """An audit of some topics at one moment.

    Args:
        at: when it began, in UTC.
        seconds: how long it took.
        kafka: "asked", "not asked", or why it could not be asked.
        topics: which were audited.
        partitions: one entry for each partition that Kafka or ClickHouse knows.
    """

    at: datetime
    seconds: float
    kafka: str
    topics: tuple[str, ...]
    partitions: tuple[PartitionAudit, ...]

    @property
    def lost(self) -> int:
        """Offsets lost, of all partitions."""
        return sum(each.lost for each in self.partitions)

    @property
    def surplus(self) -> int:
        """Offsets there more than once, of all partitions."""
        return sum(each.surplus for each in self.partitions)

    @property
    def lag(self) -> int | None:
        """Messages not done yet, of all partitions; None when it is not known of each."""
        known = [each.lag for each in self.partitions if each.lag is not None]
        return sum(known) if self.kafka == "asked" and len(known) == len(self.partitions) else None

    @property
    def unknown_topics(self) -> tuple[str, ...]:
        """Topics of which nobody who was asked has a partition."""
        known = {each.topic for each in self.partitions}
        return tuple(topic for topic in self.topics if topic not in known)

    @property
    def verdict(self) -> Verdict:
        """Return the worst of the partitions' verdicts.

        "complete": every offset is in exactly one table, once, or is a legal gap. "broken": something is lost or
        doubled, or the topic was created anew. "unproven": offsets are in neither table, and whether Kafka ever had
        messages there could not be found out.
        """
        seen = {each.verdict for each in self.partitions}
        return "broken" if "broken" in seen else "unproven" if "unproven" in seen else "complete"

    def as_dict(self) -> dict[str, Any]:
        """Return everything ready for JSON."""
        totals = {
            name: sum(getattr(each, name) for each in self.partitions)
            for name in ("events", "letters", "archived", "expected", "in_hand", "beyond_end", "unexamined")
        } | {
            name: sum(getattr(each, name).total for each in self.partitions)
            for name in ("missing", "not_read", "doubled", "in_both", "gone", "unchecked", "legal")
        }
        return {
            "verdict": self.verdict,
            "at": self.at.isoformat(),
            "seconds": round(self.seconds, 3),
            "kafka": self.kafka,
            "topics": self.topics,
            "lost": self.lost,
            "surplus": self.surplus,
            "lag": self.lag,
            "totals": totals,
            "partitions": [
                asdict(each)
                | {"expected": each.expected, "lost": each.lost, "surplus": each.surplus, "verdict": each.verdict}
                for each in self.partitions
            ],
        }
