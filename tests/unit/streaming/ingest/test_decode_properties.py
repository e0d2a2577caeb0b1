"""Whatever a client sends ends as exactly one of event and refusal; valid events survive field by field."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.clock import ManualClock
from contracts.errors import InvalidEvent
from contracts.event import ALIASES, FIELDS, QUANTITY_LIMIT, REJECT_REASONS, TEXT_FIELDS
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.records import Partition
from tests.unit.streaming.ingest.messages import FakeMessage, as_json, event

DECODER = Decoder(ManualClock())
FULL = settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SOME = settings(FULL, max_examples=500)

text = st.text(st.characters(codec="utf-8"), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just("")
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
names = st.sampled_from((*FIELDS, *ALIASES)) | text


@st.composite
def valid_events(draw: st.DrawFn) -> dict[str, Any]:
    """Events with any content the contract allows, in the canonical spelling."""
    zone = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    moment = draw(st.datetimes(datetime(2000, 1, 2), datetime(2025, 12, 31), timezones=st.just(zone)))  # noqa: DTZ001
    cents = draw(st.none() | st.integers(-(10**18) + 1, 10**18 - 1))
    return {
        "event_id": draw(st.uuids()),
        "event_type": draw(text.filter(bool)),
        "timestamp": moment,
        "user_id": draw(text.filter(bool)),
        **{name: draw(text) for name in draw(st.sets(st.sampled_from(TEXT_FIELDS)))},
        "price": None if cents is None else Decimal(cents).scaleb(-6),
        "quantity": draw(st.none() | st.integers(-QUANTITY_LIMIT, QUANTITY_LIMIT)),
        "properties": draw(st.none() | st.dictionaries(text, st.integers() | text, max_size=4)),
    }


def written(fields: dict[str, Any]) -> bytes:
    """The event as a client writes it: the price as a JSON number with all its digits."""
    plain = {name: value for name, value in fields.items() if value is not None and name != "price"}
    body = json.dumps(plain, default=lambda value: value.isoformat() if isinstance(value, datetime) else str(value))
    price = fields["price"]
    return (body if price is None else f'{body[:-1]}, "price": {price:f}}}').encode()


@FULL
@given(st.binary(max_size=80) | st.dictionaries(names, values, max_size=8).map(lambda d: json.dumps(d).encode()))
def test_no_input_crashes_and_each_ends_in_exactly_one_place(value: bytes) -> None:
    chunk = decode_chunk([FakeMessage(value)], {Partition("events", 0): Position(0)}, DECODER)
    assert chunk.rows == 1


@SOME
@given(names, values)
def test_one_strange_field_in_a_good_event_crashes_nothing(name: str, value: Any) -> None:
    try:
        DECODER.decode(json.dumps(event() | {name: value}).encode())
    except InvalidEvent as refused:
        assert refused.reason in REJECT_REASONS  # noqa: PT017 - a refusal is one of two right answers


@SOME
@given(st.integers(0, len(as_json()) - 1), st.binary(min_size=1, max_size=3))
def test_broken_bytes_in_a_good_event_crash_nothing(place: int, junk: bytes) -> None:
    good = as_json(properties={"a": "b"})
    chunk = decode_chunk(
        [FakeMessage(good[:place] + junk + good[place + 1 :])], {Partition("events", 0): Position(0)}, DECODER
    )
    assert chunk.rows == 1


@SOME
@given(valid_events())
def test_a_valid_event_survives_field_by_field(fields: dict[str, Any]) -> None:
    chunk = decode_chunk([FakeMessage(written(fields))], {Partition("events", 0): Position(0)}, DECODER)
    row = chunk.events[0].to_pylist()[0]
    assert uuid.UUID(bytes=row["event_id"]) == fields["event_id"]
    assert row["event_time"] == fields["timestamp"].astimezone(UTC)
    assert timedelta(minutes=row["event_utc_offset"]) == fields["timestamp"].utcoffset()
    for name in ("event_type", "user_id", *TEXT_FIELDS):
        assert (row[name] or "") == fields.get(name, "")
    assert (row["price"], row["quantity"]) == (fields["price"], fields["quantity"])
    assert json.loads(row["properties"] or "{}") == (fields["properties"] or {})
