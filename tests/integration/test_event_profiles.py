"""What events look like, profiled by a real ClickHouse: fields, properties with their types, how far it has come."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from orchestration.assets.event_profiles import profile_next
from orchestration.checks.profiles import read_profiles

pytestmark = pytest.mark.clickhouse

# Yesterday: what is older than two months is dropped by the table itself.
NOW = datetime.now(UTC).replace(hour=13, minute=30, second=0, microsecond=0) - timedelta(days=1)
EVENTS = """
INSERT INTO raw.events
    (event_id, event_type, event_time, user_id, item_id, price, properties, kafka_offset, ingested_at)
SELECT generateUUIDv4(), {kind:String}, {at:DateTime64(6, 'UTC')}, 'u' || toString(number), if(number % 4 = 0, 'i', ''),
    if(number % 2 = 0, 5, NULL), {properties:String}, number, {at:DateTime64(3, 'UTC')}
FROM numbers({count:UInt64})
"""


@pytest.fixture
def raw(clickhouse: Client, clean_marts: None) -> Client:
    clickhouse.command("TRUNCATE TABLE ops.event_profiles")
    clickhouse.command("CREATE VIEW staging.stg_events AS SELECT *, toStartOfHour(event_time) AS event_hour, "
                       "user_id = 'u1' AS is_bot_agent FROM raw.events")  # fmt: skip
    return clickhouse


def send(client: Client, kind: str, at: datetime, count: int, **properties: Any) -> None:
    values = {"kind": kind, "at": at, "count": count, "properties": json.dumps(properties)}
    client.command(EVENTS, parameters=values)


def filled(frame: pl.DataFrame) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {(kind, field, value): (count, values) for _, kind, field, value, count, values in frame.rows()}


def test_an_hours_fields_properties_and_bots_are_counted_by_event_type(raw: Client) -> None:
    properties = {"n": 1, "s": "x", "b": True, "o": {}, "a": [1], "z": None}
    send(raw, "click", NOW - timedelta(hours=2), 100, **properties)
    send(raw, "view", NOW - timedelta(hours=2), 10)
    assert profile_next(raw, NOW)["hours"] == 2
    frame, newest = read_profiles(raw)
    assert newest == NOW.replace(hour=12, minute=0)
    found = filled(frame)
    assert found["click", "", "field"] == (100, 100)
    assert found["click", "item_id", "field"] == (25, 1)
    assert found["click", "price", "field"] == (50, 1)
    assert found["click", "country", "field"] == (0, 0)
    assert found["click", "@bot", "field"] == (1, 0)
    assert found["view", "", "field"] == (10, 10)
    types = {field.removeprefix("properties."): value for _, field, value in found if "properties." in field}
    assert types == {"n": "number", "s": "string", "b": "boolean", "o": "object", "a": "array", "z": "null"}
    assert set(frame["hour"]) == {NOW.replace(hour=11, minute=0)}


def test_hours_are_profiled_once_a_day_at_a_time_also_over_a_gap(raw: Client) -> None:
    assert profile_next(raw, NOW) == {"hours": 0}
    send(raw, "click", NOW - timedelta(hours=60), 10)
    send(raw, "click", NOW - timedelta(hours=1), 10)
    assert [profile_next(raw, NOW)["hours"] for _ in range(4)] == [24, 24, 12, 0]
    frame, newest = read_profiles(raw)
    assert newest == NOW.replace(hour=12, minute=0)
    assert frame.filter(pl.col("field") == "")["filled"].to_list() == [10, 10]


def test_an_hour_waits_ten_minutes_for_its_last_events(raw: Client) -> None:
    send(raw, "click", NOW - timedelta(hours=1), 10)
    assert profile_next(raw, NOW.replace(minute=9))["hours"] == 0
    assert profile_next(raw, NOW.replace(minute=10))["hours"] == 1
