"""Mark dead letters as dealt with; they stay where they are."""

from __future__ import annotations

import secrets

from streaming.letters.actions import Actions
from streaming.letters.store import Selection


def drop_letters(actions: Actions, selection: Selection) -> int:
    """Record that the letters of `selection` are dealt with and return how many there are; safe to repeat.

    Raises:
        RetryLater, Permanent: ClickHouse is away, or refuses.
    """
    batch = secrets.token_hex(8)
    for chunk in selection.chunks():
        actions.drop(batch, chunk)
    return len(selection)
