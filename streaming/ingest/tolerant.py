"""The slow path: make an event of JSON that other trackers write, or say why it cannot be one.

Values are kept as their JSON text until their field is known, so that numbers never pass through a float:
an identifier `17850.0` stays '17850.0' and a price keeps every digit. An unknown top-level field goes
into `properties`. Where `properties` already has that name, the client's own entry stays and the field
is added as `_top_level_NAME`, so both are kept.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Final, NoReturn
from uuid import UUID

import msgspec

from contracts.errors import InvalidEvent
from contracts.event import (
    ALIASES,
    FIELDS,
    ID_FIELDS,
    PRICE_LIMIT,
    PRICE_SCALE,
    QUANTITY_LIMIT,
    REQUIRED,
    TEXT_FIELDS,
    RejectReason,
)
from streaming.ingest.event import EPOCH, NO_PROPERTIES, Event, Window, fits_quantity, quoted

_RAW_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_COLLISION_PREFIX: Final = "_top_level_"
# Python takes 80 minutes for an hour and 20; ISO 8601 does not.
_ZONE: Final = re.compile(r"[+-]\d\d(:?[0-5]\d(:?[0-5]\d(\.\d+)?)?)?$")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_SCALE: Final = Decimal(1).scaleb(-PRICE_SCALE)
# Wide enough for Decimal(18, 6) and a refused operation (not a rounded result) beyond it.
_EXACT: Final = Context(prec=40)
# Milliseconds of year 9999; beyond it a time cannot be built, so it is refused before.
_LAST_MS: Final = Decimal(253_402_300_799_999)


def read_tolerantly(value: bytes, window: Window) -> Event:
    """Return the event in `value`, or raise why there is none.

    Args:
        value: the message's bytes.
        window: the event times that are taken.

    Raises:
        InvalidEvent: with a `RejectReason` and a text for people.
    """
    fields = _canonical(_parse(value))
    known = {name: fields.pop(name) for name in FIELDS if name in fields}
    for name in REQUIRED:
        if name not in known:
            _reject("missing_field", f"{name} is missing")
    event = Event(
        event_id=_event_id(known["event_id"]),
        event_type=_required("event_type", known["event_type"]),
        timestamp=_timestamp(known["timestamp"], window),
        user_id=_required("user_id", known["user_id"]),
        price=_price(known["price"]) if "price" in known else None,
        quantity=_quantity(known["quantity"]) if "quantity" in known else None,
        properties=_properties(known.get("properties"), fields),
    )
    for name in TEXT_FIELDS:
        if name in known:
            setattr(event, name, _text(name, known[name]))
    return event


def _parse(value: bytes) -> dict[str, str]:
    """Return the top-level fields as JSON text."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as error:
        _reject("not_utf8", f"byte {error.start} is not UTF-8")
    try:
        return {name: str(raw, "utf-8") for name, raw in _RAW_OBJECT.decode(value).items()}
    except msgspec.ValidationError:
        _reject("not_an_object", f"the value is not a JSON object: {quoted(value)}")
    except msgspec.DecodeError as error:
        # Also text with half a surrogate pair: it is no Unicode text, so it could not be stored.
        _reject("not_json", f"not JSON: {error}: {quoted(value)}")
    except RecursionError:
        _reject("not_json", "nested too deeply")


def _canonical(fields: dict[str, str]) -> dict[str, str]:
    """Return the fields under the contract's names, known ones without nulls (null means absent)."""
    present = {name: text for name, text in fields.items() if name not in _NULLABLE or text != "null"}
    for alias, name in ALIASES.items():
        if alias in present and name not in present:
            present[name] = present.pop(alias)
    return present


_NULLABLE: Final = frozenset((*FIELDS, *ALIASES))


def _event_id(text: str) -> UUID:
    try:
        return msgspec.convert(_string("event_id", text), UUID)
    except msgspec.ValidationError:
        if text == '""':
            _reject("missing_field", "event_id is empty")
        _reject("wrong_type", f"event_id is not a UUID: {quoted(text)}")


def _required(name: str, text: str) -> str:
    found = _text(name, text)
    if not found:
        _reject("missing_field", f"{name} is empty")
    return found


def _text(name: str, text: str) -> str:
    if name in ID_FIELDS and _NUMBER.fullmatch(text):
        return text
    return _string(name, text)


def _string(name: str, text: str) -> str:
    if not text.startswith('"'):
        _reject("wrong_type", f"{name} is not text: {quoted(text)}")
    return _TEXT.decode(text)


def _timestamp(text: str, window: Window) -> datetime:
    content = _TEXT.decode(text) if text.startswith('"') else text
    if _NUMBER.fullmatch(content):
        moment = _from_milliseconds(content)
    elif text.startswith('"'):
        moment = _from_iso(content)
    else:
        _reject("wrong_type", f"timestamp is neither text nor a number: {quoted(text)}")
    if not window.earliest <= moment <= window.latest:
        text = f"{quoted(content)} is not between {window.earliest} and {window.latest}"
        _reject("timestamp_out_of_range", f"{text} (INGEST_EARLIEST, INGEST_MAX_AHEAD_HOURS)")
    return moment


def _from_milliseconds(text: str) -> datetime:
    number = _number("timestamp", text)
    if not 0 <= number <= _LAST_MS:
        _reject("timestamp_out_of_range", f"{quoted(text)} ms is before 1970 or after 9999")
    return EPOCH + timedelta(microseconds=int(number.scaleb(3)))


def _from_iso(text: str) -> datetime:
    if not text:
        _reject("missing_field", "timestamp is empty")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _reject("bad_timestamp", f"neither ISO 8601 nor epoch milliseconds: {quoted(text)}")
    offset = moment.utcoffset()
    if offset is None:
        _reject("bad_timestamp", f"no zone: {quoted(text)}")
    if offset % timedelta(minutes=1):
        _reject("bad_timestamp", f"the zone is not whole minutes: {quoted(text)}")
    if offset and not _ZONE.search(text):
        _reject("bad_timestamp", f"the zone has more than 59 minutes: {quoted(text)}")
    return moment if offset else moment.replace(tzinfo=UTC)


def _decimal(name: str, text: str) -> Decimal | None:
    """Return the exact number in a JSON number or a JSON string; None for an empty string."""
    content = _string(name, text) if text.startswith('"') else text
    return _number(name, content) if content else None


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        _reject("wrong_type", f"{name} is not a number: {quoted(text)}")
    if not number.is_finite():
        _reject("wrong_type", f"{name} is not finite: {quoted(text)}")
    return number


def _price(text: str) -> Decimal | None:
    price = _decimal("price", text)
    if price is None:
        return None
    if price.copy_abs() >= PRICE_LIMIT:
        _reject("wrong_type", f"price is not below {PRICE_LIMIT}: {quoted(text)}")
    exact = price.quantize(_SCALE, context=_EXACT)
    if exact != price:
        _reject("wrong_type", f"price has more than {PRICE_SCALE} decimals: {quoted(text)}")
    return exact


def _quantity(text: str) -> int | None:
    number = _decimal("quantity", text)
    if number is None:
        return None
    if number.copy_abs() > QUANTITY_LIMIT or number != number.to_integral_value():
        _reject("wrong_type", f"quantity is not an integer of 32 bits: {quoted(text)}")
    quantity = int(number)
    assert fits_quantity(quantity)  # noqa: S101 - the same limit; a bug of ours otherwise
    return quantity


def _properties(text: str | None, unknown: dict[str, str]) -> msgspec.Raw:
    own = text.strip() if text is not None else "{}"
    if not own.startswith("{"):
        _reject("wrong_type", f"properties is not an object: {quoted(own)}")
    if not unknown:
        return NO_PROPERTIES if text is None else msgspec.Raw(own)
    taken = set(_RAW_OBJECT.decode(own))
    entries = [own[1:-1].strip()] if taken else []
    for name, value in unknown.items():
        free = name
        while free in taken:
            free = _COLLISION_PREFIX + free
        taken.add(free)
        entries.append(f"{msgspec.json.encode(free).decode()}:{value}")
    return msgspec.Raw("{" + ",".join(entries) + "}")


def _reject(reason: RejectReason, text: str) -> NoReturn:
    raise InvalidEvent(reason, text)
