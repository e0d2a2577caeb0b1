"""Which letters a command acts on, and which of the named ones are dealt with already."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from contracts.errors import UserError
from streaming.letters.filters import Filters
from streaming.letters.letter import Letter
from streaming.letters.store import Letters, Selection

MAX_PLACES: Final = 1_000
_SHOWN: Final = 20


@dataclass(frozen=True)
class Choice:
    """The letters to act on.

    Args:
        filters: what chooses them.
        selection: their places.
        done: letters that were named and are left alone because of their state.
    """

    filters: Filters
    selection: Selection
    done: list[Letter]

    def newest(self, letters: Letters) -> list[Letter]:
        """Return some of them to show, newest first."""
        return letters.newest(replace(self.filters, limit=min(_SHOWN, max(1, len(self.selection)))))


def choose(letters: Letters, filters: Filters, states: Collection[str], *, everything: bool = False) -> Choice:
    """Return the letters that `filters` mean; named ones must be in one of `states`.

    Args:
        letters: in ClickHouse.
        filters: places, or what to look for.
        states: in which a named letter can be acted on.
        everything: no filter is meant as no filter.

    Raises:
        UserError: places and filters are mixed, nothing is chosen at all, or a place has no dead letter.
        RetryLater, Permanent: ClickHouse is away, or refuses.
    """
    if everything == filters.narrows():
        raise UserError(
            "name places or give a filter (--reason, --since, --topic, --partition, --limit), or else --all"
        )
    if not filters.places:
        return Choice(filters, letters.select(filters), [])
    if replace(filters, places=()).narrows():
        raise UserError("give places or filters, not both")
    if len(filters.places) > MAX_PLACES:
        raise UserError(f"at most {MAX_PLACES:,} places are taken; use filters for more")
    found = {letter.place: letter for letter in letters.newest(replace(filters, state="all"))}
    missing = [place for place in filters.places if place not in found]
    if missing:
        raise UserError(f"no dead letter lies at {missing[0]}; `millrace dead-letters list --rows` shows places")
    done = [letter for letter in found.values() if letter.state not in states]
    left = tuple(place for place, letter in found.items() if letter.state in states)
    chosen = replace(filters, places=left, state="all")
    # To a filter, no places at all would mean any.
    return Choice(chosen, letters.select(chosen) if left else Selection.empty(), done)
