"""Answers that are kept for a moment, so that ten people who look at one page ask once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from contracts.clock import Clock

_MOST: Final = 500
# After a failure nobody asks again for so long: a server that is away is not stormed.
_FAILURE_SECONDS: Final = 1.0
# Answers that are kept this long or longer may be shown a while after that, while the next one is on its way.
_LONG_SECONDS: Final = 5.0
_OVERTIME: Final = 6.0
_MOST_OVERTIME_SECONDS: Final = 40.0

T = TypeVar("T")


@dataclass(frozen=True)
class _Entry(Generic[T]):
    """One question's newest answer, perhaps still on its way, and the last good one before it."""

    future: Future[T]
    began: float
    before: _Entry[T] | None = None

    @property
    def is_good(self) -> bool:
        return self.future.done() and self.future.exception() is None


class Kept(Generic[T]):
    """Answers by key; who asks what is on its way already waits for the same answer.

    Args:
        clock: for their age.
        at_once: how many are worked on at a time; the others wait in line.
    """

    def __init__(self, clock: Clock, at_once: int) -> None:
        self._clock = clock
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="question")
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, keep_seconds: float, work: Callable[[], T]) -> Future[T]:
        """Return the answer of `key`: one that is at most `keep_seconds` old, or what `work` returns."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or self._is_over(entry, keep_seconds):
                before = entry if entry and entry.is_good else None
                entry = _Entry(self._threads.submit(work), self._clock.monotonic(), before)
                self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > _MOST:
                self._entries.popitem(last=False)
            return self._shown(entry, keep_seconds).future

    def close(self) -> None:
        """Ask nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _is_over(self, entry: _Entry[T], keep_seconds: float) -> bool:
        keep = keep_seconds if entry.is_good else _FAILURE_SECONDS
        return entry.future.done() and self._clock.monotonic() - entry.began > keep

    def _shown(self, entry: _Entry[T], keep_seconds: float) -> _Entry[T]:
        before = entry.before
        if entry.future.done() or before is None or keep_seconds < _LONG_SECONDS:
            return entry
        longest = min(keep_seconds * _OVERTIME, keep_seconds + _MOST_OVERTIME_SECONDS)
        is_fair = self._clock.monotonic() - before.began <= longest
        return before if is_fair else entry
