"""What a message of Kafka looks like to the steps after the poll, and where it lies."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = list[tuple[str, bytes | None]]


class Message(Protocol):
    """The part of confluent-kafka's message that ingest uses; tests make their own."""

    def topic(self) -> str | None:
        """Return the topic's name."""

    def partition(self) -> int | None:
        """Return the partition's number."""

    def offset(self) -> int | None:
        """Return the offset."""

    def timestamp(self) -> tuple[int, int]:
        """Return the kind of timestamp and the epoch milliseconds; -1 when there is none."""

    def key(self) -> bytes | None:
        """Return the key's bytes."""

    def value(self) -> bytes | None:
        """Return the value's bytes."""

    def headers(self) -> Headers | None:
        """Return the headers in the order in which the client wrote them."""


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.number}"


@dataclass
class Span:
    """What a batch carries of one partition.

    Args:
        first, last: offsets, both included.
        epoch: of the claim under which they were read.
    """

    first: int
    last: int
    epoch: int = 0


class Ranges:
    """A set of offsets kept as inclusive, disjoint ranges, so that a long run costs two numbers.

    Args:
        ranges: (first, last) pairs in any order.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges = sorted(ranges)
        self._firsts = [first for first, _ in self._ranges]

    def __contains__(self, offset: int) -> bool:
        index = bisect_right(self._firsts, offset) - 1
        return index >= 0 and offset <= self._ranges[index][1]

    def __bool__(self) -> bool:
        return bool(self._ranges)

    @property
    def last(self) -> int:
        """The highest offset, or -1 for an empty set."""
        return self._ranges[-1][1] if self._ranges else -1
