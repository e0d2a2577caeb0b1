"""Experiments made user by user, summed up the way the marts do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.experiments.results import STATS_COLUMNS

START = datetime(2026, 1, 1, tzinfo=UTC)
Users = Mapping[str, NDArray[np.float64]]


def users(random: np.random.Generator, count: int, rate: float = 0.1, carry: float = 2.0) -> Users:
    """Return users of one variation; `carry` is how much of a user's past events comes again."""
    past = random.poisson(3, count).astype(float)
    bought_before = (random.random(count) < 0.1).astype(float)
    converted = (random.random(count) < rate).astype(float)
    return {
        "converted": converted,
        "revenue": converted * random.lognormal(3, 1, count).round(2),
        "events": carry * past + random.poisson(5, count),
        "pre_purchases": bought_before,
        "pre_revenue": bought_before * random.lognormal(3, 1, count).round(2),
        "pre_events": past,
    }


def sums(experiment: str, variation: str, people: Users, **change: Any) -> dict[str, Any]:
    """Return the row of sums of one variation, with some of its columns changed."""
    row: dict[str, Any] = {
        "experiment_name": experiment,
        "experiment_variation": variation,
        "exposed_users": len(people["converted"]),
        "converted_users": int(people["converted"].sum()),
        "conversions": int(people["converted"].sum()),
        "mixed_users": 0,
        "users_with_history": int((people["pre_events"] > 0).sum()),
        "converted_pre_purchases": people["converted"] @ people["pre_purchases"],
    }
    for name in ("revenue", "events", "pre_purchases", "pre_revenue", "pre_events"):
        row |= {name: people[name].sum(), f"{name}_sum_squares": people[name] @ people[name]}
    row |= {f"{name}_pre_{name}": people[name] @ people[f"pre_{name}"] for name in ("revenue", "events")}
    return row | change


def empty(experiment: str, variation: str, **change: Any) -> dict[str, Any]:
    """Return a row of sums in which all is 0 but what is given."""
    nothing: dict[str, Any] = dict.fromkeys(STATS_COLUMNS, 0)
    return nothing | {"experiment_name": experiment, "experiment_variation": variation} | change


def exposures(*rows: tuple[str, str, int, str, str, int]) -> pl.DataFrame:
    """Return exposures from (experiment, variation, hour from the start, device, country, users)."""
    named = [(name, arm, START + timedelta(hours=hour), *rest) for name, arm, hour, *rest in rows]
    schema = {
        "experiment_name": pl.String,
        "experiment_variation": pl.String,
        "exposure_hour": pl.Datetime("us", "UTC"),
        "device_type": pl.String,
        "country": pl.String,
        "exposed_users": pl.Int64,
    }
    return pl.DataFrame(named, schema=schema, orient="row")
