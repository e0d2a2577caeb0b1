"""New and vanished event types, fields, properties and types of values, against what the hours before had."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import dagster as dg
import polars as pl

from orchestration.checks.catalogue import SCHEMA_DRIFT
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Evidence, markdown_table, verdict
from orchestration.checks.neighbours import reading
from orchestration.checks.profiles import BOT, LEAST_HOURS, read_profiles
from orchestration.resources.clickhouse import ClickHouse

# What comes less often in an hour is no change of a client but a stray.
LEAST_NEW: Final = 5
# What is expected at least so often, and was there in nearly every hour, is missed when it does not come at all.
LEAST_MISSED: Final = 20.0
_NEARLY_ALWAYS: Final = 0.9
_KEY: Final = ["event_type", "field", "value_type"]


@asset_check(SCHEMA_DRIFT)
def schema_drift(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Compare the newest profiled hour with the four weeks before it."""
    with reading(clickhouse) as client:
        return drift_verdict(*read_profiles(client))


def changes(profiles: pl.DataFrame, hour: datetime) -> pl.DataFrame:
    """Return what is new in `hour` and what is missed: event_type, field, value_type, change, count.

    Something is new when it comes at least 5 times and never came before, and missed when it was there in nine of ten
    hours in which its event type was, would be expected 20 times, and does not come at all.
    """
    seen = profiles.filter((pl.col("field") != BOT) & (pl.col("filled") > 0) & (pl.col("value_type") != "null"))
    now, before = seen.filter(pl.col("hour") == hour), seen.filter(pl.col("hour") < hour)
    new = now.join(before, on=_KEY, how="anti").filter(pl.col("filled") >= LEAST_NEW)
    # A new event type brings all its fields: that is one change.
    new = new.join(new.filter(pl.col("field") == ""), on="event_type", how="left", suffix="_type").filter(
        (pl.col("field") == "") | pl.col("field_type").is_null()
    )
    missed = _usual(before).join(now, on=_KEY, how="anti")
    missed = missed.join(_expected(before, now), on="event_type", how="left")
    missed = missed.with_columns(expected=pl.col("share") * pl.col("events")).filter(pl.col("expected") >= LEAST_MISSED)
    return pl.concat(
        [
            new.select(*_KEY, change=pl.lit("new"), count=pl.col("filled").cast(pl.Float64)),
            missed.select(*_KEY, change=pl.lit("missed"), count=pl.col("expected")),
        ]
    ).sort("change", "count", descending=[False, True])


def _usual(before: pl.DataFrame) -> pl.DataFrame:
    """Return what was there in nearly every hour in which its event type was, with its share of the type's events."""
    of_type = before.filter(pl.col("field") == "").group_by("event_type")
    types = of_type.agg(hours=pl.col("hour").n_unique(), total=pl.col("filled").sum())
    hours = before["hour"].n_unique()
    found = before.group_by(_KEY).agg(there=pl.col("hour").n_unique(), filled=pl.col("filled").sum())
    of_hours = pl.when(pl.col("field") == "").then(hours).otherwise(pl.col("hours"))
    return (
        found.join(types, on="event_type")
        .filter(pl.col("there") >= _NEARLY_ALWAYS * of_hours)
        .select(*_KEY, share=pl.col("filled") / pl.col("total"))
    )


def _expected(before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """Return how many events of each type there are now; of a type that does not come, how many there usually are."""
    hours = max(before["hour"].n_unique(), 1)
    usual = before.filter(pl.col("field") == "").group_by("event_type").agg(usual=pl.col("filled").sum() / hours)
    counts = now.filter(pl.col("field") == "").select("event_type", seen=pl.col("filled").cast(pl.Float64))
    joined = usual.join(counts, on="event_type", how="left")
    # The fields of a type that does not come are not missed each by itself: `share` of the type itself is 1.
    return joined.select("event_type", events=pl.col("seen").fill_null(pl.col("usual")), is_there=pl.col("seen") > 0)


def drift_verdict(profiles: pl.DataFrame, hour: datetime | None) -> dg.AssetCheckResult:
    """Return the check's result; a change passes from the next hour on, when it has been learned."""
    hours = profiles.filter(pl.col("hour") < hour)["hour"].n_unique() if hour is not None else 0
    if hour is None or hours < LEAST_HOURS:
        evidence = Evidence(window="none yet", detector="none yet", sample_size=hours)
        sentence = f"Learning: {hours} hours of events are profiled, {LEAST_HOURS} are needed."
        return verdict(SCHEMA_DRIFT, passed=True, sentence=sentence, evidence=evidence, error=False)
    found = _without_fields_of_missed_types(changes(profiles, hour))
    rows = [
        (change, kind, field or "(the event type)", value, count) for kind, field, value, change, count in found.rows()
    ]
    names = [f"{change} {kind}{'.' + field if field else ''}" for kind, field, _, change, _ in found.rows()]
    evidence = Evidence(
        window=f"events of {hour:%Y-%m-%d %H:%M} UTC and the hour after",
        detector=f"new: {LEAST_NEW} times and never before; missed: expected {LEAST_MISSED:g} times and not there",
        observed=float(len(found)),
        expected=0.0,
        sample_size=int(profiles.filter((pl.col("hour") == hour) & (pl.col("field") == ""))["filled"].sum()),
        table=markdown_table(("change", "event type", "field", "values", "count or expected:"), rows) if rows else "",
        items=tuple(dict.fromkeys(names)),
        more={"hours_learned": hours},
    )
    sentence = f"{', '.join(names[:5])}{' …' if len(names) > 5 else ''}." if names else "Events look as before."  # noqa: PLR2004 - enough to name
    return verdict(SCHEMA_DRIFT, passed=not names, sentence=sentence, evidence=evidence, error=False)


def _without_fields_of_missed_types(found: pl.DataFrame) -> pl.DataFrame:
    types = found.filter((pl.col("change") == "missed") & (pl.col("field") == ""))["event_type"]
    return found.filter(~pl.col("event_type").is_in(types.to_list()) | (pl.col("field") == ""))
