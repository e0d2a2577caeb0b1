"""One at a time for each day: two processes that move the same rows would each undo what the other did."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from contracts.errors import RetryLater


@contextmanager
def one_at_a_time(home: Path, day: date) -> Iterator[None]:
    """Hold the right to a day on this machine until the end of the block; the system frees it at any death.

    Raises:
        RetryLater: another process holds it.
    """
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"archive-{day}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RetryLater(f"another process archives, drops or restores {day}; wait for its end") from None
        yield
