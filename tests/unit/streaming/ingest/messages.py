"""Messages and values for the tests of ingest."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

EVENT_ID = "0190163d-8694-739b-aea5-966c26f8ad90"


@dataclass
class FakeMessage:
    """What confluent-kafka's message offers, from plain values."""

    value_: bytes | None
    offset_: int = 0
    partition_: int = 0
    topic_: str = "events"
    key_: bytes | None = b"u1"
    headers_: list[tuple[str, bytes | None]] | None = None
    timestamp_: tuple[int, int] = field(default=(1, 1_767_225_600_000))

    def topic(self) -> str:
        return self.topic_

    def partition(self) -> int:
        return self.partition_

    def offset(self) -> int:
        return self.offset_

    def timestamp(self) -> tuple[int, int]:
        return self.timestamp_

    def key(self) -> bytes | None:
        return self.key_

    def value(self) -> bytes | None:
        return self.value_

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.headers_


def event(**changes: Any) -> dict[str, Any]:
    """A minimal valid event with `changes`; a value of None takes the field away."""
    base = {"event_id": EVENT_ID, "event_type": "click", "timestamp": "2026-01-01T00:00:00Z", "user_id": "u1"}
    return {name: value for name, value in (base | changes).items() if value is not None}


def as_json(**changes: Any) -> bytes:
    """The bytes of `event(**changes)`."""
    return json.dumps(event(**changes), ensure_ascii=False).encode()


def with_raw(field_and_value: str) -> bytes:
    """A valid event whose last field is this piece of JSON text, verbatim."""
    return as_json()[:-1] + b"," + field_and_value.encode() + b"}"
