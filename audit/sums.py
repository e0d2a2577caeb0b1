"""Three numbers that tell a set of offsets from others: how many, their sum, and the sum of their squares.

Sums are those of ClickHouse's UInt64, which wrap around at 2^64. One offset lost and another doubled leave the
count as it was and change the sum; two and two leave sum and count as they were only when they change the squares.
Only three or more lost together with as many doubled in just the right places (such as 0, 4, 5 lost and 1, 2, 6
doubled) leave all three as they were.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_WRAP: Final = 2**64


class Sums(NamedTuple):
    """The fingerprint of a set of offsets; those of sets that do not overlap add up."""

    rows: int = 0
    total: int = 0
    squares: int = 0

    def plus(self, other: Sums) -> Sums:
        """Return the fingerprint of both sets together."""
        return Sums(self.rows + other.rows, (self.total + other.total) % _WRAP, (self.squares + other.squares) % _WRAP)


NO_OFFSETS: Final = Sums()


def sums_of_range(first: int, last: int) -> Sums:
    """Return the fingerprint of all offsets from `first` to `last`, both included; none when `last` < `first`."""
    if last < first:
        return NO_OFFSETS
    return Sums(
        last - first + 1,
        (_up_to(last) - _up_to(first - 1)) % _WRAP,
        (_squares_up_to(last) - _squares_up_to(first - 1)) % _WRAP,
    )


def _up_to(number: int) -> int:
    return number * (number + 1) // 2


def _squares_up_to(number: int) -> int:
    return number * (number + 1) * (2 * number + 1) // 6
