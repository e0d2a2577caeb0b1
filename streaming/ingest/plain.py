"""The fast path: events written as the contract writes them, decoded and checked a chunk at a time.

msgspec fills typed structs from all messages of a chunk in one call; checks and conversions then run on
whole columns, so no step but the first costs Python work per event. What does not fit exactly (other
spellings, numbers as identifiers, unknown fields, other time formats, and everything invalid) is left out
and read again, message by message, by `tolerant`. The fast path may only leave out; it must never read a
message differently from the tolerant one, and a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.event import PRICE_SCALE, QUANTITY_LIMIT, TEXT_FIELDS
from streaming.ingest.event import EPOCH, Window

Mask = npt.NDArray[np.bool_]

_ABSENT: Final = msgspec.Raw(b"")
_LAST_MS: Final = 253_402_300_799_999
_MICROSECONDS: Final = pa.timestamp("us", "UTC")
_ONE_US: Final = timedelta(microseconds=1)
_PRICE: Final = pa.decimal128(18, PRICE_SCALE)

_UUID: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
# UTC only: another zone is kept beside the time, which the tolerant path does.
_ISO_UTC: Final = r"^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{3}|\.\d{6})?Z$"
_NO_VALUE: Final = r"^(null)?$"
_PLAIN_PRICE: Final = r"^-?(0|[1-9]\d{0,11})(\.\d{1,6})?$"


class Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An event exactly as the contract spells it; numbers and objects that must stay exact keep their text."""

    event_id: Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
    event_type: str
    timestamp: str | Annotated[int, msgspec.Meta(ge=0, le=_LAST_MS)]
    user_id: str
    session_id: str | None = ""
    item_id: str | None = ""
    item_category: str | None = ""
    currency: str | None = ""
    page_url: str | None = ""
    referrer: str | None = ""
    user_agent: str | None = ""
    ip_address: str | None = ""
    country: str | None = ""
    device_type: str | None = ""
    device_name: str | None = ""
    viewport_size: str | None = ""
    search_query: str | None = ""
    element_id: str | None = ""
    experiment_name: str | None = ""
    experiment_variation: str | None = ""
    price: msgspec.Raw = _ABSENT
    quantity: Annotated[int, msgspec.Meta(ge=-QUANTITY_LIMIT, le=QUANTITY_LIMIT)] | None = None
    properties: msgspec.Raw = _ABSENT


_DECODER: Final = msgspec.json.Decoder(Plain)
_TEXTS: Final = ("event_type", "user_id", *TEXT_FIELDS)


def decode_plain(
    values: Sequence[bytes | None], window: Window, max_bytes: int
) -> tuple[dict[str, pa.Array], npt.NDArray[np.int64]]:
    """Return the client's columns of `raw.events` for the values that are plain, and which values those are.

    Args:
        values: message values.
        window: the event times that are taken.
        max_bytes: longer values are left out.

    Returns:
        Columns of equal length, and the index of each row's value, ascending.
    """
    lines, kept = _parsed(values, max_bytes)
    if not lines:
        return {}, kept
    fields = dict(zip(Plain.__struct_fields__, zip(*map(msgspec.structs.astuple, lines), strict=True), strict=True))
    columns = {name: _text(fields[name]) for name in _TEXTS}
    columns["quantity"] = pa.array(fields["quantity"], pa.int32())
    ids, prices, properties = _text(fields["event_id"]), _raw(fields["price"]), _raw(fields["properties"])
    times = _times(fields["timestamp"])
    has_price = _matches(prices, _PLAIN_PRICE)
    good = (
        _matches(ids, _UUID)
        & _within(times, window)
        & (has_price | _matches(prices, _NO_VALUE))
        & (_bools(pc.starts_with(properties, "{")) | _matches(properties, _NO_VALUE))
        & _bools(pc.not_equal(columns["event_type"], ""))
        & _bools(pc.not_equal(columns["user_id"], ""))
    )
    columns |= {"event_id": ids, "event_time": times, "properties": properties}
    columns["price"] = pc.if_else(pa.array(has_price), prices, pa.scalar(None, pa.string()))
    if not good.all():
        columns = {name: column.filter(pa.array(good)) for name, column in columns.items()}
        kept = kept[good]
    columns["event_id"] = _uuids(columns["event_id"])
    columns["event_utc_offset"] = pa.array(np.zeros(len(kept), np.int16))
    columns["price"] = columns["price"].cast(_PRICE)
    columns["properties"] = _objects(columns["properties"])
    return columns, kept


def _parsed(values: Sequence[bytes | None], max_bytes: int) -> tuple[list[Plain], npt.NDArray[np.int64]]:
    """Return the structs of the values that have the plain shape, and their indices."""
    try:
        joined = b"\n".join(values)  # type: ignore[arg-type] # a null value makes it fail, as it should
        # A value with a line break of its own would shift all that follow; msgspec skips over broken UTF-8.
        fits = len(joined) <= max_bytes or max(map(len, values)) <= max_bytes  # type: ignore[arg-type]
        if fits and joined.count(b"\n") == len(values) - 1 and _is_text(joined):
            lines = _DECODER.decode_lines(joined)
            if len(lines) == len(values):
                return lines, np.arange(len(lines))
    except (TypeError, msgspec.MsgspecError, RecursionError):
        pass
    found = [(index, line) for index, value in enumerate(values) if (line := _line(value, max_bytes)) is not None]
    return [line for _, line in found], np.array([index for index, _ in found], np.int64)


def _line(value: bytes | None, max_bytes: int) -> Plain | None:
    # A line break would be lost between the columns' texts below; it is rare, so the tolerant path takes it.
    if value is None or len(value) > max_bytes or b"\n" in value or not _is_text(value):
        return None
    try:
        return _DECODER.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _is_text(value: bytes) -> bool:
    if value.isascii():
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(column: Sequence[str | None]) -> pa.Array:
    array = pa.array(column, pa.string())
    return array.fill_null("") if array.null_count else array


def _raw(column: Sequence[msgspec.Raw]) -> pa.Array:
    """Return the JSON texts, '' where absent; none holds a line break, so one split finds them all."""
    return pc.split_pattern(pa.array([b"\n".join(column)], pa.string()), "\n").flatten()


def _bools(array: pa.Array) -> Mask:
    found: Mask = array.to_numpy(zero_copy_only=False)
    return found


def _matches(array: pa.Array, pattern: str) -> Mask:
    return _bools(pc.match_substring_regex(array, pattern))


def _times(column: Sequence[str | int]) -> pa.Array:
    """Return times in UTC, null where a text is not ISO 8601 in UTC with whole, milli- or microseconds."""
    kinds = set(map(type, column))
    array = pa.array([value if isinstance(value, str) else None for value in column], pa.string())
    array = pc.if_else(pc.match_substring_regex(array, _ISO_UTC), array, pa.scalar(None, pa.string()))
    times = _cast(array)
    if kinds == {str}:
        return times
    numbers = pa.array([None if isinstance(value, str) else value * 1000 for value in column], pa.int64())
    return pc.coalesce(times, numbers.cast(_MICROSECONDS))


def _cast(array: pa.Array) -> pa.Array:
    try:
        return array.cast(_MICROSECONDS)
    except pa.ArrowInvalid:  # a 30th of February or the like: find it, and leave it out
        return pa.array([_moment(text) for text in array.to_pylist()], _MICROSECONDS)


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        return None


def _within(times: pa.Array, window: Window) -> Mask:
    number = times.cast(pa.int64()).fill_null(-1).to_numpy()
    first, last = ((moment.astimezone(UTC) - EPOCH) // _ONE_US for moment in window)
    within: Mask = (number >= first) & (number <= last)
    return within


def _uuids(ids: pa.Array) -> pa.Array:
    """Return 16 bytes for each text of the form that `_UUID` describes."""
    text = "".join(ids.to_pylist()) if ids.offset else ids.buffers()[2].to_pybytes()[: 36 * len(ids)].decode()
    return pa.Array.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(bytes.fromhex(text.replace("-", "")))])


def _objects(properties: pa.Array) -> pa.Array:
    """Return the objects' texts; absent, null and empty are the same thing, as for every optional field."""
    empty = pc.is_in(properties, value_set=pa.array(["{}", "null"]))
    return pc.if_else(empty, "", properties)
