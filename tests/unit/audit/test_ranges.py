"""Ranges behave as the sets they stand for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from audit.ranges import joined, without
from audit.report import SHOWN_RANGES, OffsetRange, Offsets

sets = st.sets(st.integers(0, 60))


def ranges(numbers: set[int]) -> list[OffsetRange]:
    return list(joined(OffsetRange(number, number) for number in sorted(numbers)))


def numbers(found: list[OffsetRange]) -> list[int]:
    return [number for each in found for number in range(each.first, each.last + 1)]


@given(sets)
def test_neighbours_become_one_range(given_: set[int]) -> None:
    found = ranges(given_)
    assert numbers(found) == sorted(given_)
    assert all(left.last + 1 < right.first for left, right in pairwise(found))


@given(sets, sets)
def test_what_is_taken_away_is_gone_and_nothing_else(given_: set[int], taken: set[int]) -> None:
    assert numbers(list(without(ranges(given_), ranges(taken)))) == sorted(given_ - taken)


def test_many_ranges_are_counted_and_only_the_first_are_kept() -> None:
    found = Offsets.of(OffsetRange(number * 10, number * 10 + 1) for number in range(1_000))
    assert (found.total, found.range_count, len(found.ranges)) == (2_000, 1_000, SHOWN_RANGES)
    assert str(found.ranges[1]) == "10-11"
