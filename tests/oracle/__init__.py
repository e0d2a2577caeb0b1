"""The marts recomputed from produced events in Polars: shares no code and no SQL with the dbt project."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from tests.oracle.experiments import experiment_marts
from tests.oracle.sessions import journeys, paths, sessions_of

KINDS = {"views": "page_view", "clicks": "click", "add_to_carts": "add_to_cart", "purchases": "purchase"}


def marts(events: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return each mart, sorted by its key.

    Args:
        events: one row a sent event, duplicates included: event_id, event_type, event_time (UTC), user_id,
            session_id, item_id, item_category, price (text), quantity, experiment_name,
            experiment_variation, device_type, country, page_url, referrer, user_agent, ip_address,
            search_query, and kafka_timestamp where it is known. Null and empty text are the same.
    """
    text = [name for name, kind in events.schema.items() if kind == pl.String and name != "price"]
    clean = events.with_columns(pl.col(text).fill_null(""), quantity=pl.col("quantity").cast(pl.Int64).fill_null(1))
    once = clean.unique(["event_id", "user_id", "event_time"]).with_columns(
        revenue=pl.struct("event_type", "price", "quantity").map_elements(line_revenue, pl.Object),
        hour=pl.col("event_time").dt.truncate("1h"),
    )
    rows = once.to_dicts()
    sessions = sessions_of(rows)
    return {
        "fct_user": _table(rows, ("user_id",), partial(_user, begun=Counter(one["user_id"] for one in sessions))),
        "fct_session": pl.DataFrame(sessions, infer_schema_length=None),
        "fct_journey": journeys(sessions),
        "fct_journey_path": paths(sessions),
        "fct_day": _table([row | {"event_date": row["event_time"].date()} for row in rows], ("event_date",), _day),
        "fct_item": _table([row for row in rows if row["item_id"]], ("item_id",), _item),
        "fct_item_hourly": _table([row for row in rows if row["item_id"]], ("item_id", "hour"), _item),
        **experiment_marts(rows, {one["user_id"] for one in sessions if one["is_bot"]}),
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


def _user(rows: list[dict[str, Any]], begun: Counter[str]) -> dict[str, Any]:
    times = [row["event_time"] for row in rows]
    return {
        "first_seen_at": min(times),
        "last_seen_at": max(times),
        "sessions": begun[rows[0]["user_id"]],
        "days_active": len({time.date() for time in times}),
        "total_interactions": len(rows),
        **_counts(rows),
        "searches": sum(row["event_type"] == "search" for row in rows),
        "revenue": sum((row["revenue"] for row in rows), Decimal(0)),
        "distinct_items": len({row["item_id"] for row in rows} - {""}),
        "last_device": _latest(rows, "device_type"),
        "last_country": _latest(rows, "country"),
    }


def _day(rows: list[dict[str, Any]]) -> dict[str, Any]:
    waits = [row["kafka_timestamp"] - row["event_time"] for row in rows if "kafka_timestamp" in row]
    return {
        "active_users": len({row["user_id"] for row in rows}),
        "events": len(rows),
        "views": sum(row["event_type"] == "page_view" for row in rows),
        "purchases": sum(row["event_type"] == "purchase" for row in rows),
        "revenue": sum((row["revenue"] for row in rows), Decimal(0)),
        **({"late_events": sum(wait > timedelta(hours=24) for wait in waits)} if waits else {}),
        **({"ahead_events": sum(wait < -timedelta(minutes=5) for wait in waits)} if waits else {}),
    }


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
