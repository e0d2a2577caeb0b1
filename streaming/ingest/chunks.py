"""Decode what one poll brought: every message ends as an event or as a dead letter, none as both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.errors import InvalidEvent
from streaming.ingest.batch import Chunk
from streaming.ingest.columns import event_columns
from streaming.ingest.dead_letters import DeadLetter, dead_letter_columns
from streaming.ingest.decode import Decoder
from streaming.ingest.event import Event
from streaming.ingest.records import Message, Partition, Ranges, Span


@dataclass
class Position:
    """How far a partition is read.

    Args:
        next_offset: lower offsets are done or in hand; a message below it is a repeat.
        letters: offsets at or above the resume mark that are in the dead letters already.
    """

    next_offset: int
    letters: Ranges = field(default_factory=Ranges)


def decode_chunk(messages: Iterable[Message], positions: Mapping[Partition, Position], decoder: Decoder) -> Chunk:
    """Return the messages as columns and move the positions behind them.

    A message of a partition without a position, or below it, is left alone: it was fetched before the
    partition was placed, and it is read again when its turn comes.
    """
    events: list[Event] = []
    landed: list[Message] = []
    letters: list[DeadLetter] = []
    spans: dict[Partition, Span] = {}
    size = 0
    decoder.refresh()
    for message in messages:
        place = (message.topic(), message.partition())
        offset = message.offset()
        position = positions.get(place)  # type: ignore[call-overload] # a fetched message has both
        if position is None or offset is None or offset < position.next_offset:
            continue
        position.next_offset = offset + 1
        _widen(spans, place, offset)  # type: ignore[arg-type]
        value = message.value()
        size += len(value) if value is not None else 0
        try:
            events.append(decoder.decode(value))
        except InvalidEvent as error:
            if offset not in position.letters:
                letters.append(DeadLetter(message, error))
        else:
            landed.append(message)
    return Chunk(
        event_columns(events, landed) if events else None,
        dead_letter_columns(letters) if letters else None,
        spans,
        size,
    )


def _widen(spans: dict[Partition, Span], place: tuple[str, int], offset: int) -> None:
    # A tuple finds a Partition's entry, so one is only built for the first message of each.
    span = spans.get(place)  # type: ignore[call-overload]
    if span is None:
        spans[Partition(*place)] = Span(offset, offset)
    else:
        span.last = offset
