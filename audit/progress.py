"""How far a partition is done, and what Kafka still has for it."""

from __future__ import annotations

from typing import NamedTuple

from audit.broker import Bounds
from audit.gaps import Kafka
from audit.ledger import Holdings


class Progress(NamedTuple):
    """See `PartitionAudit` for the words."""

    done: int | None
    in_hand: int
    lag: int | None


def progress(
    held: Holdings, kafka: Kafka, place: tuple[str, int], bounds: Bounds | None, *, reads_all: bool
) -> Progress:
    """Return how far a partition is: to the mark, and to the end of the dead letters that follow it.

    Args:
        held: what ClickHouse holds.
        kafka: asked whether messages lie between the mark and a dead letter, and behind the last.
        place: topic and partition.
        bounds: the broker's; None when they are not known.
        reads_all: whether workers begin at the broker's first offset.
    """
    done = held.mark
    if done is None and held.tail:
        done = bounds.low - 1 if bounds is not None and reads_all else held.tail[0].offsets.first - 1
    in_hand = 0
    for run in held.tail:
        assert done is not None  # noqa: S101 - there is a tail
        if in_hand == 0 and _next_message(kafka, place, done + 1, run.offsets.first) >= run.offsets.first:
            done = run.offsets.last
        else:
            in_hand += run.offsets.size
    if bounds is None:
        return Progress(done, in_hand, None)
    following = max(bounds.low, 0 if done is None else done + 1)
    lag = 0
    if following < bounds.end:
        # A marker of a transaction at the end is nothing that could be read.
        lag = bounds.end - min(bounds.end, _next_message(kafka, place, following, bounds.end))
    return Progress(done if done is not None and done >= 0 else None, in_hand, lag)


def _next_message(kafka: Kafka, place: tuple[str, int], offset: int, before: int) -> int:
    """Return the first message from `offset` on, `before` when none comes earlier, `offset` when nobody knows."""
    if offset >= before:
        return before
    try:
        found = kafka.first_message(*place, offset)
    except LookupError:
        return offset
    return before if found is None else min(found, before)
