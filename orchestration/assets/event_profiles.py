"""What events look like, by hour: the baseline that the checks of drift learn from, kept in a small table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.event import TEXT_FIELDS
from contracts.names import EVENT_PROFILES, RAW_EVENTS
from orchestration.resources.clickhouse import ClickHouse

NUMBER_FIELDS: Final = ("price", "quantity")
HISTORY: Final = timedelta(days=28)
# An hour is looked at once, ten minutes after its end: what comes later is too little to change its shares.
_SETTLED: Final = timedelta(minutes=10)
_HOURS_AT_ONCE: Final = timedelta(hours=24)
# Of more events than this a part is looked at, so that a run takes seconds however busy the shop.
_EVENTS_AT_ONCE: Final = 2_000_000
# Keys that hardly occur, and keys that are values (such as ids), must not fill the table.
_LEAST_KEYS: Final = 5
_MOST_KEYS: Final = 200

_HOUR: Final = timedelta(hours=1)
_RANGE: Final = """event_time >= {since:DateTime('UTC')} AND event_time < {until:DateTime('UTC')}
        AND ingested_at >= {since:DateTime('UTC')} - INTERVAL 1 HOUR"""
_PART: Final = f"{_RANGE}\n        AND cityHash64(event_id) % {{part:UInt32}} = 0"
_COLUMNS: Final = "(hour, event_type, field, value_type, filled, distinct_values)"
_ENTRIES: Final = ",\n            ".join(
    ["('', count(), uniq(user_id))"]
    + [f"('{name}', countIf({name} != ''), uniqIf({name}, {name} != ''))" for name in TEXT_FIELDS]
    + [f"('{name}', count({name}), uniq({name}))" for name in NUMBER_FIELDS]
)
_FIELDS: Final = f"""
INSERT INTO {EVENT_PROFILES} {_COLUMNS}
SELECT hour, event_type, entry.1, 'field', entry.2 * {{part:UInt32}}, entry.3
FROM (
    SELECT toDateTime(toStartOfHour(event_time), 'UTC') AS hour, event_type, [
            {_ENTRIES}
        ] AS entries
    FROM {RAW_EVENTS}
    WHERE {_PART}
    GROUP BY hour, event_type
)
ARRAY JOIN entries AS entry
"""  # noqa: S608 - names of ours
_PROPERTIES: Final = f"""
INSERT INTO {EVENT_PROFILES} {_COLUMNS}
SELECT hour, event_type, 'properties.' || substring(pair.1, 1, 100), multiIf(
        startsWith(pair.2, '"'), 'string', pair.2 IN ('true', 'false'), 'boolean', startsWith(pair.2, '{{'), 'object',
        startsWith(pair.2, '['), 'array', pair.2 = 'null', 'null', 'number'
    ) AS value_type, count() * {{part:UInt32}} AS filled, uniq(pair.2)
FROM (
    SELECT toDateTime(toStartOfHour(event_time), 'UTC') AS hour, event_type,
        arrayJoin(JSONExtractKeysAndValuesRaw(properties)) AS pair
    FROM {RAW_EVENTS}
    WHERE {_PART} AND length(properties) > 2
)
GROUP BY hour, event_type, pair.1, value_type
HAVING count() >= {_LEAST_KEYS}
ORDER BY filled DESC
LIMIT {_MOST_KEYS} BY hour, event_type
"""  # noqa: S608 - names of ours
_BOTS: Final = f"""
INSERT INTO {EVENT_PROFILES} {_COLUMNS}
SELECT toDateTime(event_hour, 'UTC') AS hour, event_type, '@bot', 'field', countIf(is_bot_agent) * {{part:UInt32}}, 0
FROM staging.stg_events
WHERE {_PART}
GROUP BY hour, event_type
"""  # noqa: S608 - names of ours
_MARK: Final = f"INSERT INTO {EVENT_PROFILES} {_COLUMNS} SELECT {{last:DateTime('UTC')}}, '', '', '', 0, 0"
_COUNT: Final = f"SELECT count() FROM {RAW_EVENTS} WHERE {_RANGE}"  # noqa: S608 - as above
_DONE: Final = f"SELECT maxOrNull(hour) FROM {EVENT_PROFILES}"  # noqa: S608 - as above
_FIRST: Final = f"""
SELECT minOrNull(event_time) FROM {RAW_EVENTS} WHERE event_time >= {{since:DateTime('UTC')}}
"""  # noqa: S608 - as above


@dg.asset(
    key=EVENT_PROFILES.split("."),
    deps=[dg.AssetKey(RAW_EVENTS.split(".")), dg.AssetKey(["staging", "stg_events"])],
    group_name="raw",
    kinds={"python", "clickhouse"},
    owners=["team:platform"],
    description="What events look like by hour: fields filled, distinct values, properties and their types, bots.",
    metadata={"dagster/table_name": EVENT_PROFILES},
)
def event_profiles(clickhouse: ClickHouse) -> dg.MaterializeResult[Any]:
    """Profile the complete hours that have not been, a day of them at most; the next run goes on.

    Raises:
        RetryLater: ClickHouse cannot be reached or is busy.
        Permanent: it refuses.

    """
    with clickhouse.client() as client:
        found = profile_next(client, SystemClock().now())
    return dg.MaterializeResult(metadata=dict(found))


def profile_next(client: Client, now: datetime) -> Mapping[str, Any]:
    """Profile the next hours and return what was done: since, until, events; nothing when all is done."""
    settled = (now - _SETTLED).replace(minute=0, second=0, microsecond=0)
    since = _begin(client, now)
    if since is None or since >= settled:
        return {"hours": 0}
    until = min(since + _HOURS_AT_ONCE, settled)
    window: dict[str, Any] = {"since": since, "until": until, "last": until - _HOUR}
    events = int(client.query(_COUNT, parameters=window).result_rows[0][0])
    window["part"] = max(1, -(-events // _EVENTS_AT_ONCE))
    for statement in (_FIELDS, _PROPERTIES, _BOTS, _MARK):
        client.command(statement, parameters=window)
    return {
        "hours": round((until - since) / _HOUR),
        "since": since.isoformat(),
        "until": until.isoformat(),
        "events": events,
        "looked_at_one_in": window["part"],
    }


def _begin(client: Client, now: datetime) -> datetime | None:
    """Return the start of the first hour that has not been profiled; None when there is no event."""
    oldest = (now - HISTORY).replace(minute=0, second=0, microsecond=0)
    ((done,),) = client.query(_DONE, tz_mode="aware").result_rows
    if done is not None:
        following: datetime = max(done.astimezone(UTC) + _HOUR, oldest)
        return following
    ((first,),) = client.query(_FIRST, parameters={"since": oldest}, tz_mode="aware").result_rows
    if first is None:
        return None
    hour: datetime = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour
