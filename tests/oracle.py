"""The marts recomputed from produced events in Polars: shares no code and no SQL with the dbt project."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl

IDLE_MICROSECONDS = 30 * 60 * 1_000_000
KINDS = {"views": "page_view", "clicks": "click", "add_to_carts": "add_to_cart", "purchases": "purchase"}


def marts(events: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return each mart, sorted by its key.

    Args:
        events: one row a sent event, duplicates included: event_id, event_type, event_time (UTC), user_id,
            session_id, item_id, item_category, price (text), quantity, experiment_name,
            experiment_variation, device_type, country. Null and empty text are the same.
    """
    text = [name for name, kind in events.schema.items() if kind == pl.String and name != "price"]
    clean = events.with_columns(pl.col(text).fill_null(""), quantity=pl.col("quantity").cast(pl.Int64).fill_null(1))
    once = clean.unique(["event_id", "user_id", "event_time"]).with_columns(
        revenue=pl.struct("event_type", "price", "quantity").map_elements(line_revenue, pl.Object),
        hour=pl.col("event_time").dt.truncate("1h"),
    )
    rows = once.to_dicts()
    return {
        "fct_user": _table(rows, ("user_id",), _user),
        "fct_item": _table([row for row in rows if row["item_id"]], ("item_id",), _item),
        "fct_item_hourly": _table([row for row in rows if row["item_id"]], ("item_id", "hour"), _item),
        "fct_experiment": _experiments(rows),
    }


def line_revenue(row: dict[str, Any]) -> Decimal:
    """Return price times quantity of a purchase, else 0."""
    if row["event_type"] != "purchase" or not row["price"]:
        return Decimal(0)
    return Decimal(row["price"]) * row["quantity"]


def _table(rows: list[dict[str, Any]], key: tuple[str, ...], fold: Any) -> pl.DataFrame:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in key), []).append(row)
    made = [dict(zip(key, value, strict=True)) | fold(groups[value]) for value in sorted(groups)]
    return pl.DataFrame(made, infer_schema_length=None)


def _counts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(row["event_type"] == kind for row in rows) for name, kind in KINDS.items()}


def _latest(rows: list[dict[str, Any]], name: str) -> str:
    named = [row for row in rows if row[name]]
    return max(named, key=lambda row: (row["event_time"], row["event_id"]))[name] if named else ""


def _user(rows: list[dict[str, Any]]) -> dict[str, Any]:
    times = [row["event_time"] for row in rows]
    return {
        "first_seen_at": min(times),
        "last_seen_at": max(times),
        "sessions": _sessions(rows),
        "days_active": len({time.date() for time in times}),
        "total_interactions": len(rows),
        **_counts(rows),
        "searches": sum(row["event_type"] == "search" for row in rows),
        "revenue": sum((row["revenue"] for row in rows), Decimal(0)),
        "distinct_items": len({row["item_id"] for row in rows} - {""}),
        "last_device": _latest(rows, "device_type"),
        "last_country": _latest(rows, "country"),
    }


def _sessions(rows: list[dict[str, Any]]) -> int:
    named = {row["session_id"] for row in rows} - {""}
    loose = sorted(row["event_time"] for row in rows if not row["session_id"])
    pauses = sum((after - before).total_seconds() * 1e6 > IDLE_MICROSECONDS for before, after in pairwise(loose))
    return len(named) + (pauses + 1 if loose else 0)


def _item(rows: list[dict[str, Any]]) -> dict[str, Any]:
    bought = [row for row in rows if row["event_type"] == "purchase"]
    return {
        "item_category": _latest(rows, "item_category"),
        **_counts(rows),
        "units": sum(row["quantity"] for row in bought),
        "revenue": sum((row["revenue"] for row in rows), Decimal(0)),
        "unique_users": len({row["user_id"] for row in rows}),
        "interactions": len(rows),
        "last_event_at": max(row["event_time"] for row in rows),
    }


def _experiments(rows: list[dict[str, Any]]) -> pl.DataFrame:
    exposures = [row for row in rows if row["experiment_name"] and row["experiment_variation"]]
    people: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in exposures:
        people.setdefault((row["experiment_name"], row["user_id"]), []).append(row)
    buys: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["event_type"] == "purchase":
            buys.setdefault(row["user_id"], []).append(row)
    made = []
    for name, variation in sorted({(row["experiment_name"], row["experiment_variation"]) for row in exposures}):
        seen = {user: found for (test, user), found in people.items() if test == name}
        made.append({"experiment_name": name, "experiment_variation": variation} | _variation(seen, variation, buys))
    return pl.DataFrame(made, infer_schema_length=None)


def _variation(
    seen: dict[str, list[dict[str, Any]]], variation: str, buys: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    here = {user: found for user, found in seen.items() if variation in {row["experiment_variation"] for row in found}}
    pure = {user: found for user, found in here.items() if len({row["experiment_variation"] for row in found}) == 1}
    after = {
        user: [buy for buy in buys.get(user, []) if buy["event_time"] >= min(row["event_time"] for row in found)]
        for user, found in pure.items()
    }
    revenue = [sum((buy["revenue"] for buy in bought), Decimal(0)) for bought in after.values()]
    times = [row["event_time"] for found in here.values() for row in found]
    return {
        "exposed_users": len(pure),
        "converted_users": sum(bool(bought) for bought in after.values()),
        "conversions": sum(len(bought) for bought in after.values()),
        "revenue": sum(revenue, Decimal(0)),
        "revenue_sum_squares": sum((each * each for each in revenue), Decimal(0)),
        "mixed_users": len(here) - len(pure),
        "first_exposure_at": min(times),
        "last_exposure_at": max(times),
    }
