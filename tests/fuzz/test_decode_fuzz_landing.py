"""A mixed batch of fuzzed messages through the real ClickHouse: the server takes all of it and changes nothing."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from contracts.clock import ManualClock
from contracts.event import DEAD_LETTER_COLUMNS, RAW_COLUMNS
from streaming.ingest.batch import Batch
from streaming.ingest.epochs import Epochs
from streaming.ingest.writer import ClickHouseWriter
from tests.fuzz.inputs import KINDS
from tests.fuzz.reference import NOW
from tests.fuzz.test_decode_fuzz import PLACE, agrees, decoded, refused

pytestmark = pytest.mark.clickhouse
MESSAGES = 2_000
LARGE: list[bytes | None] = [None, b"", b" " * 1_000_001, b"\x00" * 100_000, bytes(range(256)) * 40]


def messages() -> list[bytes | None]:
    """This many messages of every kind; always the same ones."""
    found: list[bytes | None] = list(LARGE)

    @seed(1)
    @settings(max_examples=MESSAGES // 5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(*KINDS.values()))
    def collect(values: list[bytes]) -> None:
        found.extend(values)

    collect()
    return found


def stored(client: Client, table: str, columns: tuple[str, ...], binary: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The rows of a table by offset, binary columns as bytes."""
    chosen = [f"hex({name})" if name in binary else name for name in columns]
    rows = client.query(f"SELECT {', '.join(chosen)} FROM {table} ORDER BY kafka_offset", query_tz="UTC").result_rows
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_what_the_server_stored_is_what_the_clients_sent(clickhouse: Client) -> None:
    values = messages()
    assert len(values) >= MESSAGES
    batch = Batch()
    epochs = Epochs(lambda: clickhouse, "fuzz", "fuzz/1")
    batch.add(decoded(values, epochs.take([PLACE])[PLACE]), 0.0)
    ClickHouseWriter(lambda: clickhouse, epochs, "fuzz", "1", ManualClock(NOW)).write(batch)
    events = stored(clickhouse, "raw.events", RAW_COLUMNS, ("event_id",))
    letters = stored(clickhouse, "raw.dead_letters", DEAD_LETTER_COLUMNS, ("payload", "key"))
    offsets = sorted(row["kafka_offset"] for row in events + letters)
    assert offsets == list(range(len(values)))
    assert min(len(events), len(letters)) > MESSAGES // 10
    for row in events:
        typed = {"event_id": uuid.UUID(row["event_id"]).bytes, "event_time": row["event_time"].replace(tzinfo=UTC)}
        agrees(row | typed, values[row["kafka_offset"]])
    for row in letters:
        value = values[row["kafka_offset"]]
        assert (row["payload"], row["key"]) == (None if value is None else value.hex().upper(), "7531")
        refused(value)
    kept = "SELECT DISTINCT headers.name, arrayMap(each -> hex(each), headers.value) FROM raw.dead_letters"
    assert clickhouse.query(kept).result_rows == [(["trace", "empty", "trace"], ["FF", None, "32"])]
