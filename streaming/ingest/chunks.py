"""Decode what one poll brought: every message ends as an event or as a dead letter, none as both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.errors import InvalidEvent
from streaming.ingest.batch import Chunk
from streaming.ingest.columns import Landing, client_columns, event_batch
from streaming.ingest.dead_letters import DeadLetter, dead_letter_columns
from streaming.ingest.decode import Decoder
from streaming.ingest.event import Event
from streaming.ingest.limit import Refusals
from streaming.ingest.records import Message, Partition, Ranges, Span

Rows = npt.NDArray[np.int64]

_VALUE: Final = methodcaller("value")
_NOTHING: Final = Ranges()


@dataclass
class Position:
    """How far a partition is read.

    Args:
        next_offset: lower offsets are done or in hand; a message below it is a repeat.
        letters: offsets at or above the resume mark that are in the dead letters already.
        epoch: of the claim under which the partition is read.
    """

    next_offset: int
    letters: Ranges = field(default_factory=Ranges)
    epoch: int = 0


def decode_chunk(messages: Sequence[Message], positions: Mapping[Partition, Position], decoder: Decoder) -> Chunk:
    """Return the messages as columns and move the positions behind them.

    A message of a partition without a position, or below it, is left alone: it was fetched before the
    partition was placed, and it is read again when its turn comes.
    """
    landing = Landing.of(messages)
    fresh, spans = _advance(landing, positions)
    if len(fresh) < len(messages):
        messages, landing = [messages[row] for row in fresh], landing.take(fresh)
    values: list[bytes | None] = list(map(_VALUE, messages))
    decoder.refresh()
    columns, plain = decoder.plain(values)
    stored = _stored(landing, spans, positions)
    if stored:
        keep = ~np.isin(plain, list(stored))
        columns, plain = {name: column.filter(pa.array(keep)) for name, column in columns.items()}, plain[keep]
    events = []
    if len(plain):
        events.append(event_batch(columns, landing if len(plain) == len(messages) else landing.take(plain)))
    rest = np.setdiff1d(np.arange(len(messages)), plain, assume_unique=True)
    found, refused = _one_by_one(messages, rest, decoder)
    # What is a dead letter already stays one, also where another version or setting would take it for an event.
    found = {row: event for row, event in found.items() if row not in stored}
    if found:
        events.append(event_batch(client_columns(list(found.values())), landing.take(np.fromiter(found, np.int64))))
    letters = [letter for row, letter in refused.items() if row not in stored]
    size = sum(map(len, filter(None, values)))
    refusals = _refusals(landing, refused) if refused else Refusals(len(messages), dict.fromkeys(spans, (False,)))
    return Chunk(events, dead_letter_columns(letters) if letters else None, spans, size, refusals)


def _one_by_one(
    messages: Sequence[Message], rest: Rows, decoder: Decoder
) -> tuple[dict[int, Event], dict[int, DeadLetter]]:
    """Return the events among the `rest` of the messages and the refused ones, both by row."""
    events: dict[int, Event] = {}
    refused: dict[int, DeadLetter] = {}
    for row in rest.tolist():
        try:
            events[row] = decoder.decode(messages[row].value())
        except InvalidEvent as error:
            refused[row] = DeadLetter(messages[row], error)
    return events, refused


def _stored(
    landing: Landing, spans: Mapping[Partition, Span], positions: Mapping[Partition, Position]
) -> frozenset[int]:
    """Return the rows that are in the dead letters already: none, except soon after a start."""
    known = {place: positions[place].letters for place, span in spans.items()}
    known = {place: letters for place, letters in known.items() if spans[place].first <= letters.last}
    if not known:
        return frozenset()
    places = zip(landing.topics, landing.partitions.tolist(), landing.offsets.tolist(), strict=True)
    return frozenset(
        row
        for row, (topic, number, offset) in enumerate(places)
        if offset in known.get(Partition(topic, number), _NOTHING)
    )


def _refusals(landing: Landing, refused: Mapping[int, DeadLetter]) -> Refusals:
    marks: dict[Partition, list[bool]] = {}
    for row, place in enumerate(zip(landing.topics, landing.partitions.tolist(), strict=True)):
        marks.setdefault(Partition(*place), []).append(row in refused)
    errors = [letter.error for letter in refused.values()]
    return Refusals(len(landing.topics), marks, Counter(error.reason for error in errors), errors[-1].text)


def _advance(landing: Landing, positions: Mapping[Partition, Position]) -> tuple[Rows, dict[Partition, Span]]:
    """Move the positions; return the rows that are new to their partition, and the offsets they cover."""
    places = list(zip(landing.topics, landing.partitions.tolist(), strict=True))
    numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
    of_place = np.fromiter(map(numbers.__getitem__, places), np.int32, len(places))
    fresh = np.zeros(len(places), np.bool_)
    spans: dict[Partition, Span] = {}
    for place, number in numbers.items():
        partition = Partition(*place)
        position = positions.get(partition)
        if position is None:
            continue
        mine = np.flatnonzero(of_place == number)
        mine = mine[_is_new(landing.offsets[mine], position.next_offset)]
        if len(mine):
            fresh[mine] = True
            first, last = landing.offsets[mine[[0, -1]]].tolist()
            spans[partition] = Span(first, last, position.epoch)
            position.next_offset = last + 1
    return np.flatnonzero(fresh), spans


def _is_new(offsets: npt.NDArray[np.int64], start: int) -> npt.NDArray[np.bool_]:
    """Tell which offsets are at least `start` and higher than all before them."""
    reached = np.maximum.accumulate(np.concatenate(([start - 1], offsets)))
    new: npt.NDArray[np.bool_] = offsets > reached[:-1]
    return new
