"""The profiles of events as the checks of drift read them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.names import EVENT_PROFILES
from orchestration.assets.event_profiles import HISTORY

HOUR: Final = timedelta(hours=1)
# Of fewer hours nothing is learned.
LEAST_HOURS: Final = 24
BOT: Final = "@bot"
SCHEMA: Final = {
    "hour": pl.Datetime("us", "UTC"),
    "event_type": pl.String(),
    "field": pl.String(),
    "value_type": pl.String(),
    "filled": pl.Int64(),
    "distinct_values": pl.Int64(),
}
_QUERY: Final = f"""
SELECT toInt64(toUnixTimestamp(hour)) AS seconds, toString(event_type) AS event_type, toString(field) AS field,
    toString(value_type) AS value_type,
    toInt64(filled) AS filled, toInt64(distinct_values) AS distinct_values
FROM {EVENT_PROFILES} FINAL
WHERE hour > (SELECT max(hour) FROM {EVENT_PROFILES}) - {{seconds:UInt32}} AND event_type != ''
"""  # noqa: S608 - names of ours
_NEWEST: Final = f"SELECT maxOrNull(hour) FROM {EVENT_PROFILES}"  # noqa: S608 - as above


def read_profiles(client: Client) -> tuple[pl.DataFrame, datetime | None]:
    """Return four weeks of profiles (`SCHEMA`), and the newest hour that was profiled; None before the first."""
    ((newest,),) = client.query(_NEWEST, tz_mode="aware").result_rows
    if newest is None:
        return pl.DataFrame(schema=SCHEMA), None
    parameters = {"seconds": round(HISTORY.total_seconds())}
    frame = pl.DataFrame(pl.from_arrow(client.query_arrow(_QUERY, parameters=parameters, use_strings=True)))
    hour = pl.from_epoch("seconds", time_unit="s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return frame.select(hour.alias("hour"), *list(SCHEMA)[1:]), newest
