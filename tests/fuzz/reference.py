"""What an event is, written a second time: slow, simple, and without a line of the decoder's.

Python's own JSON reader keeps every number as the text the client wrote. Where the contract leaves open what a
spelling means (week dates, a price with underscores) the answer is ANY: the decoder may take or refuse it.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from contracts.event import ALIASES, FIELDS, ID_FIELDS, QUANTITY_LIMIT, REQUIRED, TEXT_FIELDS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANY = object()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 1_000_000
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LOOKS_LIKE_A_NUMBER = re.compile(r"[\d\s.,+_eE-]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}(\1[0-9a-fA-F]{4}){2}\1[0-9a-fA-F]{12}")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)


class Refused(Exception):
    """It cannot be an event."""


class Number(str):
    """A JSON number as the client wrote it."""

    __slots__ = ()


def parse(text: str) -> Any:
    """Read JSON as the standard says: no NaN, no half surrogate pairs, the last of repeated names counts."""

    def refuse(name: str) -> None:
        raise Refused(name)

    def entries(found: list[tuple[str, Any]]) -> dict[str, Any]:
        json.dumps(found, ensure_ascii=False).encode()  # fails on half a pair, also where a later entry hides it
        return dict(found)

    try:
        found = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse, object_pairs_hook=entries)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from error
    return found


def expected(value: bytes | None) -> dict[str, Any]:
    """Return the columns of the event in `value`; ANY where the contract leaves them open.

    Raises:
        Refused: it belongs in the dead letters.
    """
    if value is None or len(value) > _LARGEST:
        raise Refused("no value, or too large")
    try:
        fields = parse(value.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Refused(str(error)) from error
    if not isinstance(fields, dict):
        raise Refused("no object")
    fields = {name: each for name, each in fields.items() if each is not None or name not in {*FIELDS, *ALIASES}}
    for other, name in ALIASES.items():
        if other in fields and name not in fields:
            fields[name] = fields.pop(other)
    if any(fields.get(name, "") == "" for name in REQUIRED):
        raise Refused("a required field is missing or empty")
    row: dict[str, Any] = dict(zip(("event_time", "event_utc_offset"), _time(fields["timestamp"]), strict=True))
    row["event_id"] = _uuid(fields["event_id"])
    for name in ("event_type", "user_id", *TEXT_FIELDS):
        row[name] = _text(name, fields.get(name, ""))
    row["price"] = _price(fields.get("price", ""))
    row["quantity"] = _quantity(fields.get("quantity", ""))
    row["properties"] = _properties(fields)
    return row


def _uuid(value: Any) -> str:
    if type(value) is not str or not _UUID.fullmatch(value):
        raise Refused("event_id")
    return value.replace("-", "").lower()


def _text(name: str, value: Any) -> str:
    if type(value) is str or (type(value) is Number and name in ID_FIELDS):
        return str(value)
    raise Refused(name)


def _time(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, str):
        raise Refused("timestamp")
    if _NUMBER.fullmatch(value):
        number = _number(value)
        with localcontext(prec=5_000):
            if number is ANY or not 0 <= number < Decimal(10) ** 14:
                raise Refused("timestamp")
            moment, offset = _EPOCH + timedelta(microseconds=int(number * 1_000)), 0
    elif type(value) is str and (found := _TIME.fullmatch(value)):
        moment, offset = _iso(*found.groups())
    elif type(value) is str and re.search("[0-9].*[0-9].*[0-9].*[0-9]", value):
        return ANY, ANY
    else:
        raise Refused("timestamp")
    if not datetime(2000, 1, 1, tzinfo=UTC) <= moment <= NOW + timedelta(hours=24):
        raise Refused("timestamp")
    return moment, offset


def _iso(*parts: str | None) -> tuple[datetime, int]:
    *clock, fraction, zone = parts
    numbers = [int(part or 0) for part in clock]
    offset = 0
    if zone != "Z":
        assert zone is not None
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            raise Refused("zone")
        offset = (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)
    try:
        local = datetime(*numbers, int((fraction or "").ljust(6, "0")), tzinfo=UTC)  # type: ignore[misc, arg-type]
        return local - timedelta(minutes=offset), offset
    except (ValueError, OverflowError) as error:
        raise Refused(str(error)) from error


def _number(value: Any) -> Any:
    """Return the exact number, None for an empty text, ANY for texts that other readers take for numbers."""
    if value == "" and type(value) is str:
        return None
    if not isinstance(value, str):
        raise Refused("no number")
    if not _NUMBER.fullmatch(value):
        if _LOOKS_LIKE_A_NUMBER.fullmatch(value):
            return ANY
        raise Refused("no number")
    exponent = re.search("[eE](.*)", value)
    if len(value) > 1_000 or (exponent and abs(int(exponent.group(1))) > 1_000):
        # Zeros aside, nothing of that size is a price or a quantity.
        if re.search("[1-9]", re.split("[eE]", value)[0]) and len(value) < 1_000:
            raise Refused("too large or too small")
        return ANY
    return Decimal(value)


def _price(value: Any) -> Any:
    price = _number(value)
    if isinstance(price, Decimal):
        with localcontext(prec=5_000):
            if abs(price) >= 10**12 or (price * 10**6) % 1:
                raise Refused("price")
    return price


def _quantity(value: Any) -> Any:
    quantity = _number(value)
    if isinstance(quantity, Decimal):
        with localcontext(prec=5_000):
            if abs(quantity) > QUANTITY_LIMIT or quantity % 1:
                raise Refused("quantity")
            return int(quantity)
    return quantity


def _properties(fields: dict[str, Any]) -> dict[str, Any]:
    own = fields.get("properties", {})
    if not isinstance(own, dict):
        raise Refused("properties")
    merged = dict(own)
    for name, value in fields.items():
        if name not in FIELDS:
            free = name
            while free in merged:
                free = "_top_level_" + free
            merged[free] = value
    return merged
