"""The fingerprint of a set of offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audit.sums import NO_OFFSETS, Sums, sums_of_range

offsets = st.integers(0, 2**63 - 100)


def summed(numbers: list[int]) -> Sums:
    return Sums(len(numbers), sum(numbers) % 2**64, sum(number * number for number in numbers) % 2**64)


@given(offsets, st.integers(0, 90))
def test_the_closed_form_is_the_sum_over_the_range(first: int, length: int) -> None:
    assert sums_of_range(first, first + length - 1) == summed(list(range(first, first + length)))


@given(offsets, st.integers(1, 50), st.integers(1, 50))
def test_two_ranges_side_by_side_add_up_to_the_whole(first: int, one: int, two: int) -> None:
    left, right = sums_of_range(first, first + one - 1), sums_of_range(first + one, first + one + two - 1)
    assert left.plus(right) == sums_of_range(first, first + one + two - 1)


@given(offsets, st.sets(st.integers(0, 90), max_size=2), st.lists(st.integers(0, 90), max_size=2))
def test_up_to_two_lost_and_two_doubled_always_show(first: int, lost: set[int], doubled: list[int]) -> None:
    numbers = [first + each for each in range(91) if each not in lost] + [first + each for each in doubled]
    expected = sorted(numbers) == list(range(first, first + 91))
    assert (summed(numbers) == sums_of_range(first, first + 90)) == expected


def test_nothing_has_no_sums() -> None:
    assert sums_of_range(5, 4) == NO_OFFSETS
