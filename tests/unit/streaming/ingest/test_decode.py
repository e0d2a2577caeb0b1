"""What becomes an event, field by field, and what is refused for which reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from contracts.clock import ManualClock
from contracts.errors import InvalidEvent
from contracts.event import TEXT_FIELDS
from streaming.ingest.decode import Decoder
from streaming.ingest.event import Event
from streaming.ingest.policy import DecodePolicy
from tests.unit.streaming.ingest.messages import EVENT_ID, as_json, event, with_raw


def decode(value: bytes | None) -> Event:
    return Decoder(ManualClock()).decode(value)


def replaced(field: str, raw: str) -> bytes:
    """A valid event in which `field` holds this JSON text, verbatim."""
    return as_json(**{field: "@"}).replace(b'"@"', raw.encode())


def test_a_full_event_keeps_every_field() -> None:
    texts = {name: f"{name} ü 𝛑" for name in TEXT_FIELDS}
    found = decode(as_json(**texts, price=19.99, quantity=3, properties={"a": [1, None]}))
    assert found.event_id == UUID(EVENT_ID)
    assert (found.event_type, found.user_id) == ("click", "u1")
    assert found.timestamp == datetime(2026, 1, 1, tzinfo=UTC)
    assert {name: getattr(found, name) for name in TEXT_FIELDS} == texts
    assert (found.price, found.quantity) == (Decimal("19.99"), 3)
    assert str(found.properties, "utf-8") == '{"a": [1, null]}'


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ('"17850"', "17850"),
        ("17850", "17850"),
        ("17850.0", "17850.0"),
        ('"007"', "007"),
        ("-0", "-0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e3", "1e3"),
        ('"Ünï-名"', "Ünï-名"),
        ('"a\\u0000b"', "a\x00b"),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_an_identifier_keeps_the_text_the_client_wrote(raw: str, kept: str) -> None:
    assert decode(replaced("user_id", raw)).user_id == kept
    assert decode(replaced("item_id", raw)).item_id == kept


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("19.99", "19.99"),
        ('"19.99"', "19.99"),
        ("999999999999.999999", "999999999999.999999"),
        ("0.1", "0.1"),
        ("-5", "-5"),
        ("1e3", "1000"),
        ("0.1234560000", "0.123456"),
        ("12345678901.234567", "12345678901.234567"),
    ],
)
def test_a_price_never_passes_through_a_float(raw: str, kept: str) -> None:
    assert decode(replaced("price", raw)).price == Decimal(kept)


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ('"2026-01-01T10:00:00.123456Z"', datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)),
        ('"2026-01-01 10:00:00.5+00:00"', datetime(2026, 1, 1, 10, 0, 0, 500000, UTC)),
        ('"2026-01-01T10:00Z"', datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ('"2026-01-01T10:00:00+05:30"', datetime(2026, 1, 1, 10, tzinfo=timezone(timedelta(minutes=330)))),
        ("1767261600123", datetime(2026, 1, 1, 10, 0, 0, 123000, UTC)),
        ('"1767261600123"', datetime(2026, 1, 1, 10, 0, 0, 123000, UTC)),
        ("1767261600123.25", datetime(2026, 1, 1, 10, 0, 0, 123250, UTC)),
        ("1.767261600123e12", datetime(2026, 1, 1, 10, 0, 0, 123000, UTC)),
    ],
)
def test_a_time_keeps_its_microseconds_and_its_zone(raw: str, moment: datetime) -> None:
    found = decode(replaced("timestamp", raw)).timestamp
    assert isinstance(found, datetime)
    assert (found, found.utcoffset()) == (moment, moment.utcoffset())


def test_other_spellings_are_understood() -> None:
    found = decode(as_json(event_type=None, interaction_type="buy", product_id=7, product_category="toys"))
    assert (found.event_type, found.item_id, found.item_category) == ("buy", "7", "toys")
    assert str(found.properties, "utf-8") == ""


def test_the_canonical_name_wins_and_the_other_spelling_is_kept() -> None:
    found = decode(as_json(item_id="a", product_id="b"))
    assert found.item_id == "a"
    assert str(found.properties, "utf-8") == '{"product_id":"b"}'


def test_unknown_fields_go_to_the_properties_and_collisions_keep_both() -> None:
    value = with_raw('"properties": {"plan": "gold", "_top_level_plan": 0} , "plan": 1.50, "ab\\"c": [1, 2]')
    kept = '{"plan": "gold", "_top_level_plan": 0,"_top_level__top_level_plan":1.50,"ab\\"c":[1, 2]}'
    assert str(decode(value).properties, "utf-8") == kept


def test_null_is_the_same_as_absent() -> None:
    found = decode(with_raw('"country": null, "price": null, "properties": null, "quantity": null, "item_id": null'))
    assert (found.country or "", found.price, found.quantity, str(found.properties, "utf-8")) == (
        "",
        None,
        None,
        "",
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null_value"),
        (b" " * 1_000_001, "too_large"),
        (b"", "not_json"),
        (b"{broken", "not_json"),
        (as_json() + b"x", "not_json"),
        (with_raw('"x": NaN'), "not_json"),
        (with_raw('"x": "\\ud800"'), "not_json"),
        (with_raw('"x": ' + "[" * 50_000), "not_json"),
        (b"[1]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (as_json(country="@").replace(b"@", b"\xff"), "not_utf8"),
        (as_json(properties={"a": "@"}).replace(b"@", b"\xff"), "not_utf8"),
        *((as_json(**{name: None}), "missing_field") for name in event()),
        *((as_json(**{name: ""}), "missing_field") for name in event()),
        (with_raw('"user_id": null'), "missing_field"),
        (as_json(event_id="nonsense"), "wrong_type"),
        (as_json(event_id=5), "wrong_type"),
        (as_json(user_id=True), "wrong_type"),
        (as_json(event_type=5), "wrong_type"),
        (as_json(country=5), "wrong_type"),
        (as_json(properties=[1]), "wrong_type"),
        (as_json(properties="{}"), "wrong_type"),
        (as_json(timestamp=True), "wrong_type"),
        *((as_json(price=bad), "wrong_type") for bad in ("NaN", "-inf", "abc", 1e12, "0.1234567", True, [])),
        *((as_json(quantity=bad), "wrong_type") for bad in (1.5, "x", 2**31, "1e400000000", {})),
        (as_json(timestamp="yesterday"), "bad_timestamp"),
        (as_json(timestamp="2026-01-01T00:00:00"), "bad_timestamp"),
        (as_json(timestamp="2026-13-01T00:00:00Z"), "bad_timestamp"),
        (as_json(timestamp="2026-01-01T00:00:00+00:80"), "bad_timestamp"),
        (as_json(timestamp="2026-01-02T00:00:01Z"), "timestamp_out_of_range"),
        (as_json(timestamp="1999-12-31T23:59:59Z"), "timestamp_out_of_range"),
        (as_json(timestamp="0001-01-01T00:00:00+05:00"), "timestamp_out_of_range"),
        (as_json(timestamp=1_767_225_600), "timestamp_out_of_range"),
        (as_json(timestamp=10**40), "timestamp_out_of_range"),
    ],
)
def test_what_cannot_be_an_event_is_refused_with_its_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        decode(value)
    assert (refused.value.reason, bool(refused.value.text)) == (reason, True)


def test_a_bug_of_ours_is_not_taken_for_a_bad_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.ingest.tolerant.fits_quantity", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decode(as_json(quantity=1))


@pytest.mark.parametrize(
    ("value", "looks_like"),
    [
        (b"\x00\x00\x00\x00\x01abc", "a schema registry's binary format"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
        (b"\x04\x22\x4d\x18", "LZ4"),
        (b'{"schema":{},"payload":{"user_id":"u1"}}', "Kafka Connect"),
        (b'{"before":null,"after":{},"op":"c"}', "Debezium"),
        (b'{"specversion":"1.0","type":"click","source":"/shop","id":"1","data":{}}', "CloudEvent"),
    ],
)
def test_an_envelope_is_recognised_and_named(value: bytes, looks_like: str) -> None:
    with pytest.raises(InvalidEvent, match=looks_like) as refused:
        decode(value)
    assert refused.value.reason == "unknown_envelope"


def test_an_event_may_have_the_fields_of_an_envelope() -> None:
    found = decode(as_json(schema={}, payload={}, op="c", before=1, after=2, specversion="1", type="t", source="s"))
    assert json.loads(str(found.properties, "utf-8"))["op"] == "c"


def test_the_policy_says_what_is_too_old_too_far_ahead_and_too_large() -> None:
    policy = DecodePolicy(datetime(2025, 6, 1, tzinfo=UTC), timedelta(0), max_bytes=200)
    decoder = Decoder(ManualClock(), policy)
    for value, reason in (
        (as_json(timestamp="2025-05-31T23:59:59Z"), "timestamp_out_of_range"),
        (as_json(timestamp="2026-01-01T00:00:00.001Z"), "timestamp_out_of_range"),
        (as_json(page_url="x" * 200), "too_large"),
    ):
        with pytest.raises(InvalidEvent) as refused:
            decoder.decode(value)
        assert refused.value.reason == reason
        assert decoder.plain([value])[1].tolist() == []
    assert decoder.plain([as_json(timestamp="2025-06-01T00:00:00Z")])[1].tolist() == [0]
