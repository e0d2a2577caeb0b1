"""Archived days go through Kafka once more, and land with the columns that they had."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from archive.place import Archive
from archive.replay import ReplayOptions, replay_day
from archive.write import archive_day
from audit.audit import audit
from audit.broker import KafkaBroker
from contracts.clock import ManualClock
from contracts.errors import UserError
from contracts.event import RAW_COLUMNS
from contracts.settings import Settings
from tests.integration.archive_tools import DAY
from tests.integration.ingest_tools import good, ingest_all, make_topic, produce
from tests.unit.streaming.ingest.messages import as_json

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
_MOVED = ("kafka_offset", "kafka_timestamp", "ingested_at")
_ODD = [
    as_json(event_id="018f0000-0000-7000-8000-000000000001", timestamp="2026-03-01T10:00:00.123456+05:30"),
    as_json(event_id="018f0000-0000-7000-8000-000000000002", user_id=7, price=0.000001, quantity=0, currency="EUR"),
    as_json(
        event_id="018f0000-0000-7000-8000-000000000003", price="999999999999.999999", search_query='日本 \\ " \u0000'
    ),
    as_json(event_id="018f0000-0000-7000-8000-000000000004", properties={"b": [1.10, None], "a": "ü"}, other="kept"),
]


def columns(client: Client, topic: str, low: int = 0) -> list[tuple[object, ...]]:
    """What landed of a topic from an offset on, without the place and time of landing."""
    kept = ", ".join(name for name in RAW_COLUMNS if name not in _MOVED)
    return sorted(
        client.query(
            f"SELECT {kept} FROM raw.events WHERE kafka_topic = {{topic:String}} AND kafka_offset >= {{low:UInt64}}",
            parameters={"topic": topic, "low": low},
        ).result_rows,
        key=repr,
    )


def test_a_replayed_day_lands_with_the_same_columns_and_the_audit_agrees(
    clickhouse: Client, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    make_topic(settings)
    produce(settings, [*_ODD, *good(32), b"broken", b"\xff\x00", None, b"{}"])
    ingest_all(settings)
    before = columns(clickhouse, settings.kafka_topic)
    assert len(before) == 36
    for table in ("raw.events", "raw.dead_letters"):
        _land_on(clickhouse, table)
    archive = Archive.of(settings, clickhouse, ManualClock(datetime(2026, 3, 20, tzinfo=UTC)))
    archive_day(archive, DAY)
    report = replay_day(settings, archive.store, DAY, ReplayOptions(dead_letters=True))
    assert (report.sent, report.failed) == (40, {})
    ingest_all(settings)
    assert columns(clickhouse, settings.kafka_topic, low=10) == before
    letters = clickhouse.query(
        "SELECT payload, key, arrayFilter(one -> one.1 != 'millrace-replay-of', headers) AS h, error_class, count() "
        "FROM raw.dead_letters GROUP BY ALL"
    )
    assert sorted(row[-1] for row in letters.result_rows) == [2, 2, 2, 2]
    with KafkaBroker(settings) as broker:
        found = audit(clickhouse, [settings.kafka_topic], broker)
    assert (found.verdict, found.lost, found.surplus, found.lag) == ("complete", 0, 0, 0)
    with pytest.raises(UserError, match="there is no topic elsewhere"):
        replay_day(settings, archive.store, DAY, ReplayOptions(topic="elsewhere"))


def _land_on(client: Client, table: str) -> None:
    """Move all rows to the archived day, as if they had landed then."""
    names = [row[0] for row in client.query(f"DESCRIBE {table}").result_rows]
    kept = ", ".join(
        "toDateTime64('2026-03-01 12:00:00', 3, 'UTC')" if name == "ingested_at" else name for name in names
    )
    client.command(f"CREATE TABLE ops.moved AS {table}")
    client.command(f"INSERT INTO ops.moved SELECT {kept} FROM {table}")
    client.command(f"TRUNCATE TABLE {table}")
    client.command(f"ALTER TABLE {table} ATTACH PARTITION ID '20260301' FROM ops.moved")
    client.command("DROP TABLE ops.moved SYNC")
