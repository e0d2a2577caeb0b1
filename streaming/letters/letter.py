"""A dead letter as it lies in ClickHouse, whole or as far as a list needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streaming.letters.filters import Place

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True)
class Letter:
    """One dead letter.

    Args:
        place: where the message lies in Kafka.
        payload, key, headers: as the client sent them; a list's letters have only the payload's beginning.
        size: bytes of the whole payload.
        reason, text: why it is no event: a word of `contracts.event.RejectReason`, and a sentence.
        sent_at: Kafka's time stamp.
        landed_at: when it was written to `raw.dead_letters`.
        state: open, replayed or dropped.
        went_to: where the replay put it, when it was replayed.
    """

    place: Place
    payload: bytes | None
    key: bytes | None
    headers: Headers
    size: int
    reason: str
    text: str
    sent_at: datetime
    landed_at: datetime
    state: str
    went_to: Place | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Letter:
        """Return the letter in a row of `streaming.letters.store`, whose texts are bytes."""
        topic = row["kafka_topic"].decode()
        state = row["state"].decode()
        went_to = Place(topic, row["new_partition"], row["new_offset"]) if state == "replayed" else None
        return cls(
            place=Place(topic, row["kafka_partition"], row["kafka_offset"]),
            payload=row["payload"],
            key=row["key"],
            headers=tuple((entry["name"].decode(), entry["value"]) for entry in row["headers"]),
            size=row["size"],
            reason=row["error_class"].decode(),
            text=row["error_text"].decode(),
            sent_at=row["kafka_timestamp"],
            landed_at=row["ingested_at"],
            state=state,
            went_to=went_to,
        )


@dataclass(frozen=True)
class Group:
    """The dead letters of one topic with one reason.

    Args:
        topic, reason: what they share.
        count: how many there are.
        first, last: when the first and the last of them landed.
        partitions: where they came from, ascending.
        example: the newest one's place.
        text: the newest one's error.
    """

    topic: str
    reason: str
    count: int
    first: datetime
    last: datetime
    partitions: tuple[int, ...]
    example: Place
    text: str
