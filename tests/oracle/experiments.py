"""Experiments, user by user: shares no code and no SQL with the dbt project."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

Row = dict[str, Any]
HISTORY = timedelta(days=14)


def experiment_marts(rows: list[Row], bots: set[str]) -> dict[str, pl.DataFrame]:
    """Return fct_experiment, fct_experiment_daily and fct_experiment_exposure.

    Args:
        rows: distinct events with `revenue`.
        bots: users with a session that looks like a bot's.
    """
    people = [_person(name, user, rows, user in bots) for name, user in _exposed(rows)]
    variations = [person | {"variation": variation} for person in people for variation in person["seen"]]
    name = ("experiment_name", "experiment_variation")
    pure = [one for one in variations if not one["is_mixed"] and not one["is_bot"]]
    return {
        "fct_experiment": _grouped(variations, name, lambda one: (one["name"], one["variation"]), _whole),
        "fct_experiment_daily": _grouped(
            variations,
            (*name, "exposure_date"),
            lambda one: (one["name"], one["variation"], one["at"].date()),
            _sums,
        ),
        "fct_experiment_exposure": _grouped(
            pure,
            (*name, "exposure_hour", "device_type", "country"),
            lambda one: (one["name"], one["variation"], one["hour"], one["device"], one["country"]),
            lambda found: {"exposed_users": len(found)},
        ),
    }


def _exposed(rows: list[Row]) -> list[tuple[str, str]]:
    return sorted({(row["experiment_name"], row["user_id"]) for row in rows if _is_exposure(row)})


def _is_exposure(row: Row) -> bool:
    return bool(row["experiment_name"] and row["experiment_variation"])


def _person(name: str, user: str, rows: list[Row], is_bot: bool) -> Row:
    mine = [row for row in rows if row["user_id"] == user]
    exposures = [row for row in mine if _is_exposure(row) and row["experiment_name"] == name]
    first = min(exposures, key=lambda row: (row["event_time"], row["event_id"]))
    at = first["event_time"]
    after = [row for row in mine if row["event_time"] >= at]
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    before = [row for row in mine if midnight - HISTORY <= row["event_time"] < midnight]
    seen = {row["experiment_variation"] for row in exposures}
    return {
        "name": name,
        "at": at,
        "hour": at.replace(minute=0, second=0, microsecond=0),
        "last": max(row["event_time"] for row in exposures),
        "device": first["device_type"],
        "country": first["country"],
        "seen": sorted(seen),
        "is_mixed": len(seen) > 1,
        "is_bot": is_bot,
        "conversions": _purchases(after),
        "revenue": _revenue(after),
        "events": len(after),
        "pre_purchases": _purchases(before),
        "pre_revenue": _revenue(before),
        "pre_events": len(before),
    }


def _purchases(rows: list[Row]) -> int:
    return sum(row["event_type"] == "purchase" for row in rows)


def _revenue(rows: list[Row]) -> Decimal:
    return sum((row["revenue"] for row in rows), Decimal(0))


def _sums(found: list[Row]) -> Row:
    pure = [one for one in found if not one["is_mixed"] and not one["is_bot"]]

    def total(*names: str) -> Any:
        result: Any = Decimal(0) if any("revenue" in name for name in names) else 0
        for one in pure:
            product: Any = 1
            for name in names:
                product *= one[name]
            result += product
        return result

    return {
        "exposed_users": len(pure),
        "converted_users": sum(one["conversions"] > 0 for one in pure),
        "conversions": total("conversions"),
        "users_with_history": sum(one["pre_events"] > 0 for one in pure),
        "converted_pre_purchases": sum(one["pre_purchases"] for one in pure if one["conversions"]),
        "revenue_pre_revenue": total("revenue", "pre_revenue"),
        "events_pre_events": total("events", "pre_events"),
        **{
            label: value
            for name in ("revenue", "events", "pre_purchases", "pre_revenue", "pre_events")
            for label, value in ((name, total(name)), (f"{name}_sum_squares", total(name, name)))
        },
        "mixed_users": sum(one["is_mixed"] for one in found),
        "bot_users": sum(one["is_bot"] and not one["is_mixed"] for one in found),
    }


def _whole(found: list[Row]) -> Row:
    return _sums(found) | {
        "first_exposure_at": min(one["at"] for one in found),
        "last_exposure_at": max(one["last"] for one in found),
    }


def _grouped(
    rows: Iterable[Row], names: tuple[str, ...], key: Callable[[Row], tuple[Any, ...]], fold: Callable[[list[Row]], Row]
) -> pl.DataFrame:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    made = [dict(zip(names, found, strict=True)) | fold(groups[found]) for found in sorted(groups)]
    return pl.DataFrame(made, infer_schema_length=None) if made else pl.DataFrame(schema=names)
