"""What a worker measures of its batches, in bulk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from contracts.clock import ManualClock
from contracts.errors import RetryLater
from contracts.histogram import Histogram
from streaming.ingest.batch import Batch
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.meters import MeteredWriter, Meters
from streaming.ingest.records import Partition
from tests.unit.streaming.ingest.messages import FakeMessage, as_json

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def stamp_ms(seconds: float) -> tuple[int, int]:
    return 1, int((NOON + timedelta(seconds=seconds)).timestamp() * 1000)


def batch(values: list[tuple[bytes | None, tuple[int, int]]], stamped: float) -> Batch:
    """A written batch of (value, Kafka's timestamp), stamped this many seconds after noon."""
    messages = [FakeMessage(value, offset, timestamp_=stamp) for offset, (value, stamp) in enumerate(values)]
    whole = Batch(stamped_at=NOON + timedelta(seconds=stamped))
    positions = {Partition("events", 0): Position(0)}
    decoder = Decoder(ManualClock(NOON))
    whole.add(decode_chunk(messages[:2], positions, decoder), 0.0)
    whole.add(decode_chunk(messages[2:], positions, decoder), 0.0)
    return whole


def happened(seconds: float) -> bytes:
    return as_json(timestamp=(NOON + timedelta(seconds=seconds)).isoformat())


def test_a_histogram_counts_up_to_and_with_each_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.add(np.array([0.5, 1.0, 1.5]))
    histogram.add(np.array([2.0, 99.0]))
    histogram.add(np.array([]))
    assert histogram.read() == ([(1.0, 2), (2.0, 4), (float("inf"), 5)], 104.0)


def test_each_event_is_in_the_delays_once_and_each_part_adds_up() -> None:
    meters = Meters()
    meters.wrote(
        batch([(happened(-10), stamp_ms(-4)), (happened(-5), stamp_ms(-4)), (happened(-1), stamp_ms(0))], 2), 0.5
    )
    sums = [each.read()[1] for each in (meters.event_to_broker, meters.broker_to_raw, meters.event_to_raw)]
    assert sums == pytest.approx([6 + 1 + 1, 6 + 6 + 2, 12 + 7 + 3])
    assert [each.read()[0][-1][1] for each in (meters.event_to_raw, meters.insert_rows)] == [3, 1]
    assert meters.insert_seconds.read()[1] == 0.5


def test_a_message_without_a_timestamp_is_left_out_of_the_brokers_delays() -> None:
    meters = Meters()
    meters.wrote(batch([(happened(-1), (0, -1)), (happened(-1), stamp_ms(0))], 1), 0.1)
    assert [each.read()[0][-1][1] for each in (meters.event_to_broker, meters.broker_to_raw)] == [1, 1]
    assert meters.event_to_raw.read()[0][-1][1] == 2
    meters.wrote(batch([(happened(-1), (0, -1))], 1), 0.1)
    assert meters.broker_to_raw.read()[0][-1][1] == 1


def test_a_clock_ahead_counts_as_no_delay_and_does_not_make_the_newest_event_younger_than_now() -> None:
    meters = Meters()
    meters.wrote(batch([(happened(3600), stamp_ms(0))], 1), 0.1)
    assert meters.event_to_raw.read()[1] == 0
    assert meters.newest_event_us == (NOON + timedelta(seconds=1)).timestamp() * 1e6


def test_an_older_batch_does_not_make_the_newest_event_older() -> None:
    meters = Meters()
    for seconds in (-5, -500):
        meters.wrote(batch([(happened(seconds), stamp_ms(0))], 1), 0.1)
    assert meters.newest_event_us == (NOON - timedelta(seconds=5)).timestamp() * 1e6


def test_dead_letters_are_counted_by_reason_and_have_no_delay() -> None:
    meters = Meters()
    meters.wrote(batch([(b"bad", stamp_ms(0)), (None, stamp_ms(0)), (b"worse", stamp_ms(0))], 1), 0.1)
    assert {reason: count for reason, count in meters.letters.items() if count} == {"not_json": 2, "null_value": 1}
    assert (meters.events, meters.batches, meters.bytes) == (0, 1, len(b"bad" + b"worse"))
    assert meters.event_to_raw.read()[0][-1][1] == 0


def test_retries_are_counted_by_neighbour_and_the_servers_number() -> None:
    meters = Meters()
    meters.failed("ClickHouse", "ClickHouse is busy: Code: 252. DB::Exception: Too many parts")
    meters.failed("ClickHouse", "ClickHouse cannot be reached: refused")
    meters.failed("partition offsets", "Kafka did not answer")
    assert {key: count for key, count in meters.retries.items() if count} == {
        ("clickhouse", "code_252"): 1,
        ("clickhouse", "no_code"): 1,
        ("partition_offsets", "no_code"): 1,
    }


def test_only_the_try_that_works_is_measured() -> None:
    clock, meters = ManualClock(NOON), Meters()

    class Twice:
        tries = 0

        def write(self, _: Batch) -> None:
            self.tries += 1
            clock.sleep(self.tries)
            if self.tries == 1:
                raise RetryLater("busy")

    writer = MeteredWriter(Twice(), meters, clock)
    one = batch([(happened(0), stamp_ms(0))], 1)
    with pytest.raises(RetryLater):
        writer.write(one)
    assert meters.events == 0
    writer.write(one)
    assert (meters.events, meters.insert_seconds.read()[1]) == (1, 2.0)
