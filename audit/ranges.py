"""Sets of offsets as sorted, disjoint ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from audit.report import OffsetRange


def joined(ranges: Iterable[OffsetRange]) -> Iterator[OffsetRange]:
    """Yield sorted, disjoint ranges with neighbours made one."""
    grown: OffsetRange | None = None
    for each in ranges:
        if grown is not None and each.first == grown.last + 1:
            grown = OffsetRange(grown.first, each.last)
            continue
        if grown is not None:
            yield grown
        grown = each
    if grown is not None:
        yield grown


def without(ranges: Iterable[OffsetRange], taken: Iterable[OffsetRange]) -> Iterator[OffsetRange]:
    """Yield what is left of `ranges` when `taken` is removed; both sorted and disjoint."""
    removals = iter(taken)
    removal = next(removals, None)
    for each in ranges:
        first = each.first
        while removal is not None and removal.first <= each.last:
            if removal.first > first:
                yield OffsetRange(first, removal.first - 1)
            first = max(first, removal.last + 1)
            if removal.last > each.last:
                break
            removal = next(removals, None)
        if first <= each.last:
            yield OffsetRange(first, each.last)
