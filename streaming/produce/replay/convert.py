"""Rows into events: the mapping applied to text columns; each row ends as an event or a refusal."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import polars as pl

from contracts.event import FIELDS, PRICE_SCALE, QUANTITY_LIMIT
from streaming.produce.messages import RECORD_TYPES, Messages
from streaming.produce.replay.mapping import Field, Mapping, Refusal, Time
from streaming.produce.replay.read import LINE, ROW, Rows

# Events of replayed logs have ids of their own, the same whenever the same file is replayed.
_NAMESPACE: Final = uuid.UUID("6f2d6a0e-4f53-5b0b-9d1c-3c1e5a0f7b11")
_REASON: Final = "__reason"
_TIME: Final = "__time"
_EPOCHS: Final = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
_MONEY: Final = rf"^-?\d{{1,12}}(\.\d{{1,{PRICE_SCALE}}})?$"


@dataclass(frozen=True)
class Converted:
    """What became of a file's rows: `events.height` + all of `refused` = rows read.

    Args:
        events: event fields as text, ordered by time; `event_time` in UTC; `properties` as a struct.
        refused: reason -> line numbers.
    """

    events: pl.DataFrame
    refused: dict[str, list[int]]


def convert(rows: Rows, mapping: Mapping, source: str) -> Converted:
    """Apply `mapping` to `rows`.

    Args:
        rows: a file's rows.
        mapping: which column is what.
        source: what the file is called; part of the events' ids.
    """
    table = rows.table.with_columns(
        _time(mapping.time).alias(_TIME),
        *(_field(field).alias(f"field.{name}") for name, field in mapping.fields.items()),
    )
    table = table.with_columns(pl.coalesce(*_reasons(mapping), pl.lit(None, dtype=pl.String)).alias(_REASON))
    refused = {reason: list(lines) for reason, lines in rows.refused.items()}
    bad = table.filter(pl.col(_REASON).is_not_null())
    for reason, lines in bad.group_by(_REASON, maintain_order=True).agg(LINE).iter_rows():
        refused.setdefault(reason, []).extend(lines)
    good = table.filter(pl.col(_REASON).is_null())
    return Converted(_events(good, rows.table.columns, mapping, source).sort("event_time", ROW), refused)


def messages(events: pl.DataFrame) -> Messages:
    """Return the messages of converted events; price stays the exact digits of the log."""
    record = events.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in RECORD_TYPES.items() if name not in events.columns
    ).with_columns(fault=pl.lit(""), malformed_as=pl.lit(""))
    sent = events.with_columns(timestamp=pl.col("event_time").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    names = [name for name in FIELDS if name in sent.columns]
    values: list[bytes | None] = [_encoded(row) for row in sent.select(names).iter_rows(named=True)]
    keys = [user.encode() for user in events["user_id"]]
    return Messages(record.select(pl.col(name).cast(dtype) for name, dtype in RECORD_TYPES.items()), keys, values)


def _encoded(row: dict[str, Any]) -> bytes:
    event = {name: value for name, value in row.items() if value is not None}
    if "price" in event:
        event["price"] = msgspec.Raw(event["price"].encode())
    if "properties" in event:
        event["properties"] = {name: value for name, value in event["properties"].items() if value is not None}
    return msgspec.json.encode(event)


def _events(good: pl.DataFrame, columns: list[str], mapping: Mapping, source: str) -> pl.DataFrame:
    own = [name for name in columns if name not in {ROW, LINE}]
    ids = [_event_id(source, row) for row in good.select(ROW, *own).iter_rows()]
    fields = [pl.col(f"field.{name}").alias(name) for name in mapping.fields]
    if mapping.properties:
        fields.append(pl.struct(mapping.properties).alias("properties"))
    events = good.select(pl.Series("event_id", ids, dtype=pl.String), pl.col(_TIME).alias("event_time"), *fields, ROW)
    if "quantity" in events.columns:
        events = events.with_columns(pl.col("quantity").cast(pl.Int64))
    return events


def _event_id(source: str, row: tuple[Any, ...]) -> str:
    """Return the same id for the same row of the same file; the row's number tells twins apart."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join((source, *("" if each is None else str(each) for each in row)))))


def _time(time: Time) -> pl.Expr:
    """Return UTC microseconds; null where the text is no time."""
    if time.column is None:
        assert time.start is not None  # noqa: S101 - `load_mapping` has checked it
        offset = ((pl.col(ROW) - 1) * time.step_seconds * 1_000_000).cast(pl.Int64)
        moment = pl.lit(round(time.start.timestamp() * 1_000_000)) + offset
        return moment.cast(pl.Datetime("us", "UTC"))
    text, style = pl.col(time.column).str.strip_chars(), time.format or ""
    if style in _EPOCHS:
        whole = text.cast(pl.Decimal(38, 6), strict=False) * _EPOCHS[style]
        return whole.cast(pl.Int64, strict=False).cast(pl.Datetime("us", "UTC"))
    if "%z" in style:
        return text.str.to_datetime(style, time_unit="us", time_zone="UTC", strict=False)
    # A time that a change of clocks skipped or repeated: the earlier reading, or none at all.
    local = text.str.to_datetime(style, time_unit="us", strict=False)
    return local.dt.replace_time_zone(time.zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def _field(field: Field) -> pl.Expr:
    """Return the field's text; null where there is nothing."""
    if field.column is not None:
        value = pl.col(field.column)
    elif field.constant is not None:
        value = pl.lit(field.constant)
    else:
        template = field.template or ""
        names = re.findall(r"{(\w+)}", template)
        value = (
            pl.format(re.sub(r"{\w+}", "{}", template), *(pl.col(name) for name in names))
            if names
            else pl.lit(template)
        )
    if field.remove is not None:
        value = value.str.replace_all(field.remove, "")
    value = value.str.strip_chars()
    value = pl.when(value.is_in(["", *field.absent])).then(None).otherwise(value)
    if field.only_values:
        value = value.replace_strict(field.values, default=None, return_dtype=pl.String)
    elif field.values:
        value = value.replace(field.values)
    for case in reversed(field.cases):
        value = pl.when(pl.col(case.column).str.contains(case.matches)).then(pl.lit(case.then)).otherwise(value)
    return value if field.empty is None else pl.coalesce(value, _field(field.empty))


def _reasons(mapping: Mapping) -> list[pl.Expr]:
    """Return one expression for each way to be refused: its name where it applies, else null."""
    reasons = [_refusal(rule) for rule in mapping.refuse]
    reasons.append(_when(pl.col(_TIME).is_null(), "bad_time"))
    reasons += [_when(pl.col(f"field.{name}").is_null(), f"no_{name}") for name in ("user_id", "event_type")]
    if "price" in mapping.fields:
        reasons.append(_when(~pl.col("field.price").str.contains(_MONEY), "bad_price"))
    if "quantity" in mapping.fields:
        text = pl.col("field.quantity")
        number = text.cast(pl.Int64, strict=False)
        reasons.append(_when(text.is_not_null() & (number.is_null() | (number.abs() > QUANTITY_LIMIT)), "bad_quantity"))
    return reasons


def _refusal(rule: Refusal) -> pl.Expr:
    column = pl.col(rule.column)
    applies = pl.lit(False)
    if rule.matches is not None:
        applies = applies | column.fill_null("").str.contains(rule.matches)
    if rule.at_most is not None:
        exact = column.cast(pl.Decimal(38, PRICE_SCALE), strict=False)
        applies = applies | (exact <= pl.lit(rule.at_most).cast(pl.Decimal(38, PRICE_SCALE))).fill_null(False)
    return _when(applies, rule.reason)


def _when(condition: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(reason))
