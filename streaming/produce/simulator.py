"""The shop, running: a history laid out over a time range, or an endless live stream.

Both draw from the same catalogue, population and journeys, so shares and habits are the same; they
differ only in how simulated seconds become timestamps. Each yields events ordered in time, sessions
interleaved, while holding no more than the sessions still under way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streaming.produce.catalogue import Catalogue, make_catalogue
from streaming.produce.journeys import EVENT, Events, sessions
from streaming.produce.population import Population, make_population
from streaming.produce.timeline import Rhythm

# Events an average session has; only sets the pace at which sessions start.
EVENTS_PER_SESSION: Final = 16.1
_HISTORY_BLOCK = 4_096
_LIVE_BLOCK = 64
_END_MARGIN = 0.001


@dataclass(frozen=True)
class Shop:
    """Everything that belongs to a seed and does not change while the shop runs."""

    seed: int
    catalogue: Catalogue
    population: Population


def make_shop(seed: int, users: int, items: int) -> Shop:
    """Return the shop of `seed` with so many users and items."""
    return Shop(seed, make_catalogue(seed, items), make_population(seed, users))


@dataclass(frozen=True)
class Timed:
    """Events with their times.

    Args:
        events: `journeys.EVENT` rows.
        times: event times in milliseconds since 1970, UTC, of the same length.
    """

    events: Events
    times: NDArray[np.int64]


def history(shop: Shop, start: datetime, end: datetime, count: int) -> Iterator[Timed]:
    """Yield exactly `count` events in [start, end), following the daily rhythm, in time order.

    Every journey ends before `end`, so nobody is left half-way when live begins there.
    """
    rng = np.random.default_rng([shop.seed, 3])
    rhythm, origin = Rhythm(start, end), round(start.timestamp() * 1000)
    waiting: list[Events] = []
    done = 0
    while done < count:
        block = sessions(shop.catalogue, shop.population, rng, _HISTORY_BLOCK)[: count - done]
        block["at"] = _placed(block, rhythm, rng, done, count)
        done += len(block)
        pending = np.concatenate([*waiting, block])
        horizon = float(rhythm.at(np.array([done / count]))[0]) if done < count else np.inf
        ready = pending["at"] < horizon
        waiting = [pending[~ready]]
        due = pending[ready]
        due = due[np.argsort(due["at"], kind="stable")]
        yield Timed(due, origin + (due["at"] * 1000).astype(np.int64))


def _placed(block: Events, rhythm: Rhythm, rng: np.random.Generator, done: int, count: int) -> NDArray[np.float64]:
    """Return each event's seconds since the history's start; sessions start by the rhythm."""
    first, length, number = _session_bounds(block)
    # A session starts where its own share of the traffic lies, somewhere in it by chance.
    share = (done + first + rng.random(len(first)) * length) / count
    duration = block["at"][first + length - 1]
    room = rhythm.seconds - _END_MARGIN
    # In a history shorter than a session, the session is squeezed rather than cut.
    squeeze = np.minimum(1.0, room / np.maximum(duration, _END_MARGIN))
    begin = np.minimum(rhythm.at(share), room - duration * squeeze)
    placed: NDArray[np.float64] = begin[number] + block["at"] * squeeze[number]
    return placed


def _session_bounds(block: Events) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where each session starts, how many events it has, and each event's session number."""
    key = block["session"]
    starts = np.ones(len(key), dtype=bool)
    starts[1:] = key[1:] != key[:-1]
    first = np.flatnonzero(starts)
    return first, np.diff(np.append(first, len(key))), np.cumsum(starts) - 1


class LiveStream:
    """The endless stream: events one after another, sessions interleaved as in a running shop.

    The caller decides when each event is sent and stamps it, so the rate is met exactly. Right after
    the start fewer sessions are under way than later, so journeys go faster then; after some minutes
    a journey takes the time it takes in a history.

    Args:
        shop: whose users and items.
        rate: events per simulated second, for the pace at which sessions begin.
    """

    def __init__(self, shop: Shop, rate: float) -> None:
        self._shop = shop
        self._rng = np.random.default_rng([shop.seed, 4])
        self._block = max(_LIVE_BLOCK, int(rate / EVENTS_PER_SESSION))
        self._block_seconds = self._block * EVENTS_PER_SESSION / rate
        self._began = 0
        # By the number of the block in whose time they happen.
        self._later: defaultdict[int, list[Events]] = defaultdict(list)
        self._ready: list[Events] = []
        self._available = 0

    def take(self, count: int) -> Events:
        """Return the next `count` events, in order; their `at` is of no further use."""
        while self._available < count:
            self._advance()
        taken: list[Events] = []
        missing = count
        while missing > 0:
            head = self._ready.pop(0)
            if len(head) > missing:
                self._ready.insert(0, head[missing:])
                head = head[:missing]
            taken.append(head)
            missing -= len(head)
        self._available -= count
        return np.concatenate(taken) if taken else np.zeros(0, dtype=EVENT)

    def _advance(self) -> None:
        """Let one block of sessions begin; what happens before the next one may begin is ready."""
        block = sessions(self._shop.catalogue, self._shop.population, self._rng, self._block)
        _, _, number = _session_bounds(block)
        begin = (self._began + self._rng.random(self._block)) * self._block_seconds
        block["at"] += begin[number]
        # Rounding could put a session's first event before its own block.
        due = np.maximum(block["at"] // self._block_seconds, self._began).astype(np.int64)
        order = np.argsort(due, kind="stable")
        numbers, starts = np.unique(due[order], return_index=True)
        for later, events in zip(numbers.tolist(), np.split(block[order], starts[1:]), strict=True):
            self._later[later].append(events)
        ready = np.concatenate(self._later.pop(self._began, [block[:0]]))
        self._began += 1
        self._ready.append(ready[np.argsort(ready["at"], kind="stable")])
        self._available += len(ready)
