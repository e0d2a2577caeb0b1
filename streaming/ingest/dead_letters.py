"""Messages that cannot be events, as columns of `raw.dead_letters`: bytes, key and headers untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import pyarrow as pa

from contracts.errors import InvalidEvent
from streaming.ingest.columns import Landing
from streaming.ingest.records import Message

_HEADERS: Final = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))
_MAX_ERROR_TEXT: Final = 500


class DeadLetter(NamedTuple):
    """A message and why it is no event."""

    message: Message
    error: InvalidEvent


def dead_letter_columns(letters: Sequence[DeadLetter]) -> pa.RecordBatch:
    """Return the columns of `raw.dead_letters` except `ingested_at`."""
    messages = [letter.message for letter in letters]
    columns: dict[str, pa.Array] = {
        "payload": pa.array([message.value() for message in messages], pa.binary()),
        "key": pa.array([message.key() for message in messages], pa.binary()),
        "headers": pa.array([_headers(message) for message in messages], _HEADERS),
        "error_class": pa.array([letter.error.reason for letter in letters], pa.string()),
        "error_text": pa.array([_text(letter.error) for letter in letters], pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns | Landing.of(messages).columns())


def _headers(message: Message) -> list[dict[str, str | bytes | None]]:
    return [{"name": name, "value": value} for name, value in message.headers() or []]


def _text(error: InvalidEvent) -> str:
    # The text quotes what a client sent; what UTF-8 cannot say must not make the insert fail.
    return error.text[:_MAX_ERROR_TEXT].encode("utf-8", "replace").decode()
