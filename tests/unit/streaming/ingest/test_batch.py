"""When a batch closes, and how it is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.clock import ManualClock
from streaming.ingest.batch import Batch, BatchPolicy, Chunk
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.records import Partition, Ranges
from streaming.ingest.writer import _stamp
from tests.unit.streaming.ingest.messages import FakeMessage, as_json

POLICY = BatchPolicy(rows=3, bytes=1_000_000, seconds=5.0)


def chunk(*messages: FakeMessage, letters: Ranges | None = None, start: int = 0) -> Chunk:
    positions = {Partition("events", number): Position(start, letters or Ranges()) for number in (0, 1)}
    return decode_chunk(messages, positions, Decoder(ManualClock()))


def good(offset: int, partition: int = 0) -> FakeMessage:
    return FakeMessage(as_json(), offset, partition)


def test_a_batch_closes_when_it_has_enough_rows_of_either_kind() -> None:
    batch = Batch()
    batch.add(chunk(good(0), FakeMessage(b"bad", 1)), now=0)
    assert not batch.is_due(POLICY, now=0)
    batch.add(chunk(good(2)), now=0)
    assert (batch.event_rows, batch.letter_rows, batch.is_due(POLICY, now=0)) == (2, 1, True)


def test_a_batch_closes_when_its_first_message_is_old_enough() -> None:
    batch = Batch()
    batch.add(chunk(good(0)), now=10.0)
    batch.add(chunk(good(1)), now=14.9)
    assert not batch.is_due(POLICY, now=14.9)
    assert batch.is_due(POLICY, now=15.0)


def test_a_batch_closes_when_it_has_enough_bytes() -> None:
    batch = Batch()
    batch.add(chunk(good(0)), now=0)
    assert batch.is_due(BatchPolicy(rows=100, bytes=50, seconds=5.0), now=0)


def test_an_empty_batch_is_never_due() -> None:
    assert not Batch().is_due(POLICY, now=1e9)


def test_the_token_names_each_partitions_offsets_and_does_not_change_between_tries() -> None:
    batch = Batch()
    batch.add(chunk(good(7, 1), good(3), good(4)), now=0)
    assert batch.token() == "events:0:3-4@0,events:1:7-7@0"
    batch.attempts += 1
    assert batch.token() == "events:0:3-4@0,events:1:7-7@0"


def test_an_offset_below_the_position_is_not_taken_again() -> None:
    assert chunk(good(4), good(5), start=5).spans[Partition("events", 0)].first == 5


def test_a_message_of_a_partition_that_is_not_placed_is_left_alone() -> None:
    assert chunk(good(0, partition=2)).rows == 0


def test_a_dead_letter_that_is_written_already_is_covered_but_not_written_again() -> None:
    found = chunk(FakeMessage(b"bad", 5), FakeMessage(b"bad", 6), good(7), letters=Ranges([(5, 5)]))
    assert (found.rows, str(found.spans)) == (
        2,
        str({Partition("events", 0): found.spans[Partition("events", 0)]}),
    )
    assert found.letters is not None
    assert found.letters["kafka_offset"].to_pylist() == [6]


@pytest.mark.parametrize("value", [as_json(), as_json(user_id=7)])
def test_a_stored_dead_letter_stays_one_although_it_would_be_an_event_now(value: bytes) -> None:
    """A setting that was widened between two starts put such an offset into both raw tables."""
    messages = [FakeMessage(value, offset) for offset in (4, 5, 6)]
    found = chunk(*messages, letters=Ranges([(5, 5)]))
    assert [offset for part in found.events for offset in part["kafka_offset"].to_pylist()] == [4, 6]
    assert found.letters is None
    assert [(span.first, span.last) for span in found.spans.values()] == [(4, 6)]


@pytest.mark.parametrize(("offset", "inside"), [(0, False), (1, True), (3, True), (4, False), (9, True), (10, False)])
def test_ranges_know_their_offsets(offset: int, inside: bool) -> None:
    assert (offset in Ranges([(9, 9), (1, 3)])) is inside


def test_a_client_cannot_break_an_insert_with_an_absurd_kafka_timestamp() -> None:
    stamps = [-1, 10**18]
    messages = [FakeMessage(as_json(), n, timestamp_=(1, stamp)) for n, stamp in enumerate(stamps)]
    events = chunk(*messages).events[0]
    years = [moment.year for moment in events["kafka_timestamp"].to_pylist()]
    assert years == [1970, 2299]


def test_a_second_try_is_stamped_anew_but_keeps_the_day_of_the_first() -> None:
    first = datetime(2026, 1, 1, 23, 59, 58, tzinfo=UTC)
    assert _stamp(first.replace(second=59), first) == first.replace(second=59)
    assert _stamp(datetime(2026, 1, 2, 0, 5, tzinfo=UTC), first) == datetime(2026, 1, 1, 23, 59, 59, 999_000, UTC)
