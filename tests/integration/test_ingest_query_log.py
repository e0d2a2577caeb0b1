"""ClickHouse's own query log says which worker wrote which offsets."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from streaming.ingest.worker import WorkerOptions
from tests.integration.ingest_tools import Offsets, good, ingest_all, make_topic, produce

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]


def logged_inserts(client: Client, table: str, topic: str) -> list[tuple[str, str, int]]:
    """(query_id, log_comment, rows) of the finished inserts of this topic into the table."""
    client.command("SYSTEM FLUSH LOGS")
    found = client.query(
        "SELECT query_id, log_comment, written_rows FROM system.query_log WHERE type = 'QueryFinish' "
        "AND query_kind = 'Insert' AND has(tables, {table:String}) AND position(log_comment, {topic:String}) > 0",
        parameters={"table": table, "topic": topic},
    )
    return [(row[0], row[1], row[2]) for row in found.result_rows]


def named(text: str, topic: str) -> Offsets:
    """The (partition, offset) that a query's text names as topic:partition:first-last."""
    spans = re.findall(rf"{re.escape(topic)}:(\d+):(\d+)-(\d+)", text)
    return sorted((int(part), offset) for part, first, last in spans for offset in range(int(first), int(last) + 1))


def test_each_insert_names_its_worker_and_all_its_offsets(
    clickhouse: Client, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(kafka_batch_size=30)
    make_topic(settings)
    values = good(100)
    values[10:12] = [b"bad"] * 2
    sent = produce(settings, values)
    ingest_all(settings, WorkerOptions(name="shelf-7", until_caught_up=True))
    inserts = logged_inserts(clickhouse, "raw.events", settings.kafka_topic)
    assert sorted(place for _, comment, _ in inserts for place in named(comment, settings.kafka_topic)) == sent
    # The live views write with the insert, so the log's rows are more than the table's.
    assert sum(rows for _, _, rows in inserts) >= 98
    letters = logged_inserts(clickhouse, "raw.dead_letters", settings.kafka_topic)
    assert sum(rows for _, _, rows in letters) == 2
    for query_id, comment, _ in [*inserts, *letters]:
        assert "shelf-7" in query_id
        assert "shelf-7" in comment
        assert named(query_id, settings.kafka_topic) == named(comment, settings.kafka_topic)
