"""Funnels by trying everything: shares no code, no SQL and no idea with the dbt project's fold.

An event is (time, steps it matches); times and windows are whole numbers of one unit, steps count from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

Event = tuple[int, frozenset[int]]


@dataclass(frozen=True)
class Rules:
    """What an attempt must keep to: its steps, the longest time it may take, whether order matters."""

    steps: int
    window: int
    ordered: bool


def best_attempt(events: list[Event], rules: Rules, day: range) -> tuple[int, ...]:
    """Return when the best attempt that begins in `day` reached each of its steps; () when none begins.

    The best attempt gets furthest; of these the one that begins first; of these the one with the earliest
    times, step by step.
    """
    found = _ordered(events, rules, day) if rules.ordered else _unordered(events, rules, day)
    return min(found, key=lambda times: (-len(times), times), default=())


def _ordered(events: list[Event], rules: Rules, day: range) -> Iterator[tuple[int, ...]]:
    """Yield every attempt, finished or not."""

    def extend(times: tuple[int, ...], used: frozenset[int]) -> Iterator[tuple[int, ...]]:
        if times:
            yield times
        step = len(times) + 1
        for number, (at, steps) in enumerate(events):
            fits = step in steps and number not in used
            in_time = times[-1] <= at <= times[0] + rules.window if times else at in day
            if fits and in_time and step <= rules.steps:
                yield from extend((*times, at), used | {number})

    return extend((), frozenset())


def _unordered(events: list[Event], rules: Rules, day: range) -> Iterator[tuple[int, ...]]:
    """Yield, for every start, when the first, second, ... different step was done within the window."""
    for start in {at for at, steps in events if steps and at in day}:
        inside = [event for event in events if start <= event[0] <= start + rules.window]
        ends = (_first_end(inside, rules.steps, count) for count in range(1, rules.steps + 1))
        yield tuple(end for end in ends if end is not None)


def _first_end(events: list[Event], steps: int, count: int) -> int | None:
    """Return the earliest time at which `count` different steps can have been done, each by its own event."""
    ends = [
        max(at for at, _ in chosen)
        for chosen in combinations(events, count)
        if any(
            all(step in matched for step, (_, matched) in zip(order, chosen, strict=True))
            for order in permutations(range(1, steps + 1), count)
        )
    ]
    return min(ends, default=None)
