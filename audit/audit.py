"""The audit: the cheap proof for every partition, a close look where it fails, and Kafka's word on the gaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from clickhouse_connect.driver.client import Client

from audit.broker import Bounds, Broker
from audit.gaps import Kafka, LegalGaps, sort_gaps
from audit.ledger import Holdings, read_holdings
from audit.narrow import Findings, look_closer
from audit.progress import progress
from audit.ranges import joined, without
from audit.report import OffsetRange, Offsets, PartitionAudit, Report
from contracts.clock import Clock, SystemClock

Start = Literal["earliest", "latest"]


@dataclass(frozen=True)
class AuditOptions:
    """How to judge.

    Args:
        start: where workers begin a topic they know nothing of. With "latest" messages before the first that was
            read are no loss.
        clock: the time.
    """

    start: Start = "earliest"
    clock: Clock = field(default_factory=SystemClock)


def audit(
    client: Client,
    topics: Iterable[str],
    broker: Broker | None,
    options: AuditOptions | None = None,
    legal: LegalGaps | None = None,
) -> Report:
    """Compare the offsets of the raw tables with those that Kafka gave out; changes nothing, safe at any time.

    Args:
        client: a client of ClickHouse that may read the offset columns of both raw tables.
        topics: their names.
        broker: None audits ClickHouse alone: gaps stay unchecked and lag is not known.
        options: how to judge.
        legal: gaps that an earlier audit found to be legal; gets those that this one finds.

    Raises:
        RetryLater: ClickHouse is away or busy. Kafka's failures are not raised: `Report.kafka` tells them.
        Permanent: ClickHouse refuses, or a table is missing.
    """
    options = options or AuditOptions()
    at, began = options.clock.now(), options.clock.monotonic()
    judge = _Judge(client, Kafka(broker), options, legal if legal is not None else LegalGaps())
    asked = tuple(dict.fromkeys(topics))
    partitions = tuple(each for topic in asked for each in judge.topic(topic))
    return Report(at, options.clock.monotonic() - began, judge.kafka.state, asked, partitions)


class _Judge:
    def __init__(self, client: Client, kafka: Kafka, options: AuditOptions, legal: LegalGaps) -> None:
        self.kafka = kafka
        self._client = client
        self._options = options
        self._legal = legal

    def topic(self, topic: str) -> list[PartitionAudit]:
        # Kafka is asked second: what ClickHouse holds then lies below the ends for certain.
        holdings = read_holdings(self._client, topic)
        bounds = self.kafka.bounds(topic)
        return [
            self._partition((topic, number), holdings.get(number, Holdings()), bounds.get(number))
            for number in sorted(set(holdings) | set(bounds))
        ]

    def _partition(self, place: tuple[str, int], held: Holdings, bounds: Bounds | None) -> PartitionAudit:
        entry = PartitionAudit(
            *place,
            first=held.first,
            mark=held.mark,
            events=held.events.rows,
            letters=held.letters.rows,
            archived=sum(span.sums.rows for span in held.archived),
            doubled=Offsets.of(run.offsets for run in held.tail if run.doubled),
            starts_late=self._options.start == "latest",
        )
        last = max([held.mark if held.mark is not None else -1, *(run.offsets.last for run in held.tail)])
        if bounds is not None:
            entry = replace(entry, low=bounds.low, end=bounds.end, beyond_end=max(0, last + 1 - bounds.end))
        entry = self._head(self._judged(entry, held, bounds), bounds)
        come = progress(held, self.kafka, place, bounds, reads_all=self._options.start == "earliest")
        return replace(entry, done=come.done, in_hand=come.in_hand, lag=come.lag)

    def _judged(self, entry: PartitionAudit, held: Holdings, bounds: Bounds | None) -> PartitionAudit:
        """Add what is wrong between first and mark."""
        place = (entry.topic, entry.partition)
        if held.is_contiguous(self._legal.sums(place)):
            return replace(entry, legal=Offsets.of(self._legal.of(place)))
        found: Findings = look_closer(self._client, place, held)
        known = list(without(found.missing, without(found.missing, self._legal.of(place))))
        gaps = sort_gaps(without(found.missing, known), self.kafka, place, bounds)
        legal = list(joined(sorted([*known, *gaps.legal])))
        self._legal.keep(place, legal)
        return replace(
            entry,
            missing=Offsets.of(gaps.missing),
            gone=Offsets.of(gaps.gone),
            unchecked=Offsets.of(gaps.unchecked),
            legal=Offsets.of(legal),
            doubled=Offsets.of(found.doubled).plus(entry.doubled),
            in_both=Offsets.of(found.in_both),
            unexamined=found.unexamined,
        )

    def _head(self, entry: PartitionAudit, bounds: Bounds | None) -> PartitionAudit:
        """Add the messages that Kafka has before the first that was read."""
        if bounds is None or entry.first is None or entry.first <= bounds.low or entry.beyond_end:
            return entry
        head = [OffsetRange(bounds.low, entry.first - 1)]
        return replace(
            entry,
            not_read=Offsets.of(sort_gaps(head, self.kafka, (entry.topic, entry.partition), bounds).missing),
        )
