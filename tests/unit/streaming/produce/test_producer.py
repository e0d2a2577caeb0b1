from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import Consumer

from contracts.clock import ManualClock
from contracts.errors import RetryLater, UserError
from contracts.settings import Settings
from streaming.kafka.client import consumer_config
from streaming.produce.messages import Messages
from streaming.produce.producer import EventProducer
from streaming.produce.record import Recorder
from streaming.produce.simulator import Shop, make_shop
from tests.unit.streaming.produce.shops import encoded


def read_back(settings: Settings, count: int) -> dict[tuple[int, int], tuple[bytes, bytes]]:
    """What the broker holds, by partition and offset: key and value."""
    consumer = Consumer(consumer_config(settings))
    consumer.subscribe([settings.kafka_topic])
    found: dict[tuple[int, int], tuple[bytes, bytes]] = {}
    while len(found) < count:
        batch = consumer.consume(count, timeout=15)
        assert batch, f"only {len(found)} of {count} arrived"
        found |= {(each.partition(), each.offset()): (each.key(), each.value()) for each in batch}
    consumer.close()
    return found


def record_of(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "*.parquet")


def test_the_record_says_where_each_message_landed(settings: Settings, shop: Shop, tmp_path: Path) -> None:
    messages = encoded(shop, 3_000)
    producer = EventProducer(settings, tmp_path, ManualClock())
    producer.send(messages)
    producer.close()
    record, held = record_of(tmp_path), read_back(settings, 3_000)
    assert record.height == 3_000
    for partition, offset, event_id, user in record.select("partition", "offset", "event_id", "user_id").iter_rows():
        key, value = held[partition, offset]
        assert json.loads(value)["event_id"] == event_id
        assert key.decode() == user


def test_a_message_that_kafka_refuses_is_counted_and_not_recorded(settings: Settings, tmp_path: Path) -> None:
    good = encoded_one()
    huge = Messages(pl.concat([good.record] * 2), good.keys * 2, [*good.values, b"x" * 2_000_000])
    producer = EventProducer(settings, tmp_path, ManualClock())
    producer.send(huge)
    producer.close()
    summary = producer.summary
    assert (summary.events_produced, summary.delivered, summary.failed) == (2, 1, 1)
    assert summary.errors == {"MSG_SIZE_TOO_LARGE": 1}
    assert record_of(tmp_path).height == 1


def encoded_one() -> Messages:
    return encoded(make_shop(1, 5, 5), 1)


def test_produced_json_tells_the_phase_and_the_counts(settings: Settings, shop: Shop, tmp_path: Path) -> None:
    producer = EventProducer(settings, tmp_path, ManualClock())
    producer.write_summary()
    assert json.loads((tmp_path / "produced.json").read_text())["phase"] == "history"
    producer.send(encoded(shop, 100))
    producer.close()
    content = json.loads((tmp_path / "produced.json").read_text())
    assert (content["phase"], content["delivered"], content["failed"]) == ("done", 100, 0)
    assert content["last_event_at"] is not None


def test_an_unreachable_broker_is_an_error_to_retry(tmp_path: Path) -> None:
    away = Settings(_env_file=None, kafka_broker_url="127.0.0.1:1", kafka_consumer_timeout_ms=300)
    with pytest.raises(RetryLater, match="clickstream_topic"):
        EventProducer(away, tmp_path, ManualClock())


def test_parts_appear_complete_and_after_some_seconds(shop: Shop, tmp_path: Path) -> None:
    clock = ManualClock()
    recorder = Recorder(tmp_path, clock)
    recorder.add(encoded(shop, 10).record)
    assert list(tmp_path.iterdir()) == []
    clock.sleep(6)
    recorder.flush_if_due()
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]


def test_a_second_run_keeps_the_parts_of_the_first(shop: Shop, tmp_path: Path) -> None:
    clock = ManualClock()
    for _ in range(2):
        recorder = Recorder(tmp_path, clock)
        recorder.add(encoded(shop, 10).record)
        recorder.flush()
        clock.sleep(1)
    assert record_of(tmp_path).height == 20


def test_a_record_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--record"):
        Recorder(tmp_path / "file" / "record", ManualClock())
