"""Kafka to the raw tables on real servers: every offset in exactly one table, exactly once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.errors import Permanent
from contracts.names import ROLE_INGEST
from contracts.settings import Settings
from local.clickhouse.config import passwords
from streaming.ingest.worker import WorkerOptions
from tests.integration.ingest_tools import good, in_both, ingest_all, landed, make_topic, produce
from tests.unit.streaming.ingest.messages import EVENT_ID, as_json, with_raw

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]


def test_a_bad_event_among_good_ones_costs_one_row(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    make_topic(settings)
    sent = produce(settings, [*good(40), b"{broken \xff", *good(40)])
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sent
    letters = clickhouse.query(
        "SELECT base64Encode(payload), key, headers.name, headers.value[2], error_class FROM raw.dead_letters"
    ).result_rows
    assert letters == [("e2Jyb2tlbiD/", "k", ["trace", "empty"], None, "not_utf8")]


def test_a_second_worker_adds_nothing(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    make_topic(settings)
    sent = produce(settings, [*good(20), None, b"bad"])
    ingest_all(settings)
    ingest_all(settings.model_copy(update={"kafka_group_id": "another-group-without-commits"}))
    assert in_both(clickhouse, settings) == sent
    more = produce(settings, good(3))
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sorted(sent + more)


def test_each_field_arrives_in_its_column(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    make_topic(settings)
    value = as_json(timestamp="2026-01-01T10:00:00.123456+05:30", user_id="ü", price="0.1", quantity=-2, plan="x")
    produce(settings, [value, with_raw('"properties": {"a":1.50}, "product_id": 17850.0')])
    ingest_all(settings)
    rows = clickhouse.query(
        "SELECT toString(event_id), event_type, event_time, event_utc_offset, user_id, item_id, price, quantity, "
        "properties FROM raw.events ORDER BY user_id DESC",
        query_tz="UTC",
    ).result_rows
    moment = datetime(2026, 1, 1, 4, 30, 0, 123456)  # noqa: DTZ001 - the client gives UTC without a zone
    assert [tuple(part for part in row if not isinstance(part, datetime)) for row in rows] == [
        (EVENT_ID, "click", 330, "ü", "", Decimal("0.1"), -2, '{"plan":"x"}'),
        (EVENT_ID, "click", 0, "u1", "17850.0", None, None, '{"a":1.50}'),
    ]
    assert rows[0][2].replace(tzinfo=UTC) == moment.replace(tzinfo=UTC)


def test_a_batch_is_one_part_with_one_stamp(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(kafka_flush_interval=20)
    make_topic(settings)
    produce(settings, good(3_000))
    ingest_all(settings)
    assert clickhouse.query("SELECT uniqExact(_part), uniqExact(ingested_at) FROM raw.events").result_rows == [(1, 1)]


def test_the_ingest_users_rights_are_enough(
    clickhouse: Client, clickhouse_server: Settings, make_settings: MakeSettings
) -> None:
    secret = passwords(clickhouse_server.millrace_home / "server")[ROLE_INGEST]
    settings = make_settings(clickhouse_user=ROLE_INGEST, clickhouse_password=SecretStr(secret))
    make_topic(settings)
    sent = produce(settings, [*good(10), b"bad"])
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sent


def test_a_topic_that_was_created_anew_is_refused(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    make_topic(settings)
    clickhouse.command(
        f"INSERT INTO raw.events (kafka_topic, kafka_partition, kafka_offset) VALUES ('{settings.kafka_topic}', 0, 500)"
    )
    with pytest.raises(Permanent, match="offsets up to 500, but the topic ends at 0: it was deleted and created anew"):
        ingest_all(settings)


def test_a_wrong_password_stops_the_worker(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(clickhouse_user=ROLE_INGEST, clickhouse_password=SecretStr("wrong"))
    with pytest.raises(Permanent, match="Authentication failed"):
        ingest_all(settings, WorkerOptions(until_caught_up=True))
    assert landed(clickhouse, settings) == []
