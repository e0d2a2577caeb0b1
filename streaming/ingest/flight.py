"""One write in the background, so that reading and decoding go on while ClickHouse works."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final

from contracts.errors import RetryLater, SlowDown

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0


class Flight:
    """Runs one function in a thread of its own.

    The thread is a daemon: a worker that must leave does not wait for a server that does not answer.

    Args:
        work: what to run; what it raises is kept for `error`.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name="ingest-write", daemon=True)
        self._thread.start()

    def is_done(self, timeout: float = 0.0) -> bool:
        """Tell whether it has ended, waiting up to `timeout` seconds for that."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # handed to the thread that decides what it means
            self.error = error


class Backoff:
    """Waits that double up to a cap, with jitter so that workers do not come back all at once.

    Args:
        dice: source of the jitter.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._failures = 0

    def reset(self) -> None:
        """Start again from the shortest wait."""
        self._failures = 0

    def next(self, error: RetryLater) -> float:
        """Return the seconds to wait after `error`: half to all of the doubled wait, or what it asks for."""
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        wait: float = longest * self._dice.uniform(0.5, 1.0)
        return max(wait, error.seconds) if isinstance(error, SlowDown) else wait
