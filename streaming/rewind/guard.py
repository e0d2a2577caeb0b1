"""One rewind at a time: two would both find an offset missing, and both write it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import UserError


@contextmanager
def one_rewind(home: Path) -> Iterator[None]:
    """Hold the right to rewind on this machine until the end of the block; the system frees it at any death.

    Raises:
        UserError: another rewind holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "rewind.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("another `millrace rewind` is running; wait for its end") from None
        yield
