"""Whether offsets that are in neither table were ever there to be read: the broker knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from audit.broker import Bounds, Broker
from audit.ranges import joined, without
from audit.report import OffsetRange
from audit.sums import NO_OFFSETS, Sums, sums_of_range
from contracts.errors import MillraceError

# Ranges of one partition that are taken to the broker in one audit; one far from the others costs some 10 ms.
_MOST_RANGES: Final = 1_000


class Kafka:
    """The broker, asked until it fails once: an audit does not wait for each partition's time-out.

    Args:
        broker: None when Kafka is not to be asked.
    """

    def __init__(self, broker: Broker | None) -> None:
        self._broker = broker
        self.state = "not asked" if broker is None else "asked"

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Return the bounds of each partition; none when Kafka does not answer."""
        if self._broker is None:
            return {}
        try:
            return self._broker.bounds(topic)
        except MillraceError as error:
            self._fail(error)
            return {}

    def first_message(self, topic: str, partition: int, offset: int) -> int | None:
        """Return the first message at or after `offset`, None when there is none.

        Raises:
            LookupError: Kafka does not answer.
        """
        if self._broker is None:
            raise LookupError(self.state)
        try:
            return self._broker.first_message(topic, partition, offset)
        except MillraceError as error:
            self._fail(error)
            raise LookupError(self.state) from error

    def _fail(self, error: MillraceError) -> None:
        self._broker = None
        self.state = str(error)


@dataclass
class Sorted:
    """Gaps of one partition by what they are; see `PartitionAudit` for the words."""

    missing: list[OffsetRange] = field(default_factory=list)
    legal: list[OffsetRange] = field(default_factory=list)
    gone: list[OffsetRange] = field(default_factory=list)
    unchecked: list[OffsetRange] = field(default_factory=list)


def sort_gaps(gaps: Iterable[OffsetRange], kafka: Kafka, place: tuple[str, int], bounds: Bounds | None) -> Sorted:
    """Return the gaps by what they are.

    A range is missing from the first message that Kafka has inside it; what lies before that is a legal gap.

    Args:
        gaps: sorted, disjoint ranges.
        kafka: asked for messages inside them.
        place: topic and partition.
        bounds: of the partition; None when they are not known.
    """
    found = Sorted()
    if bounds is None:
        found.unchecked += gaps
        return found
    asked = 0
    for gap in gaps:
        if gap.first < bounds.low:
            found.gone.append(OffsetRange(gap.first, min(gap.last, bounds.low - 1)))
        rest = OffsetRange(max(gap.first, bounds.low), gap.last)
        if not rest.size > 0:
            continue
        asked += 1
        if asked > _MOST_RANGES or rest.last >= bounds.end:
            found.unchecked.append(rest)
        else:
            _ask(rest, kafka, place, found)
    _mind_deletion(found, kafka, place)
    return found


def _ask(gap: OffsetRange, kafka: Kafka, place: tuple[str, int], found: Sorted) -> None:
    try:
        message = kafka.first_message(*place, gap.first)
    except LookupError:
        found.unchecked.append(gap)
        return
    if message is None or message > gap.last:
        found.legal.append(gap)
        return
    if message > gap.first:
        found.legal.append(OffsetRange(gap.first, message - 1))
    found.missing.append(OffsetRange(message, gap.last))


def _mind_deletion(found: Sorted, kafka: Kafka, place: tuple[str, int]) -> None:
    """Take back "legal" where Kafka deleted the offsets while we were asking."""
    if not found.legal:
        return
    bounds = kafka.bounds(place[0]).get(place[1])
    low = bounds.low if bounds is not None else found.legal[-1].last + 1
    deleted = [OffsetRange(0, low - 1)] if low else []
    legal = list(without(found.legal, deleted))
    unsure = list(without(found.legal, legal))
    (found.gone if bounds is not None else found.unchecked).extend(unsure)
    found.legal = legal


@dataclass
class LegalGaps:
    """Legal gaps that an earlier audit took to the broker: what is below the mark does not change any more.

    Whoever audits again and again keeps one of these, so that a topic with a marker after each transaction costs
    a close look only where it has grown.
    """

    ranges: dict[tuple[str, int], list[OffsetRange]] = field(default_factory=dict)
    _sums: dict[tuple[str, int], Sums] = field(default_factory=dict)

    def of(self, place: tuple[str, int]) -> list[OffsetRange]:
        """Return the sorted ranges of a topic's partition."""
        return self.ranges.get(place, [])

    def sums(self, place: tuple[str, int]) -> Sums:
        """Return their fingerprint."""
        return self._sums.get(place, NO_OFFSETS)

    def keep(self, place: tuple[str, int], ranges: Iterable[OffsetRange]) -> None:
        """Replace what is known of a partition."""
        known = list(joined(sorted(ranges)))
        total = NO_OFFSETS
        for each in known:
            total = total.plus(sums_of_range(*each))
        self.ranges[place], self._sums[place] = known, total
