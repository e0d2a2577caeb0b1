"""Only the newest owner of a partition can write to it, whoever wakes up when."""

from __future__ import annotations

import socket
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.errors import Fenced, Permanent, RetryLater
from contracts.settings import Settings
from streaming.ingest.batch import Batch
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.epochs import QUERY_PREFIX, Epochs
from streaming.ingest.records import Partition
from streaming.ingest.worker import WorkerOptions
from streaming.ingest.writer import ClickHouseWriter
from tests.integration.ingest_tools import (
    good,
    in_both,
    ingest_all,
    landed,
    make_topic,
    produce,
    running_worker,
    wait_until,
)
from tests.unit.streaming.ingest.messages import FakeMessage, as_json

pytestmark = [pytest.mark.clickhouse]
MakeSettings = Callable[..., Settings]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Partition:
    """A partition that no other test claims."""
    return Partition(request.node.name[:200], 0)


def batch_of(place: Partition, epoch: int, *values: bytes) -> Batch:
    """One batch that was read under the claim of this epoch."""
    messages = [FakeMessage(value, offset, place.number, place.topic) for offset, value in enumerate(values)]
    batch = Batch()
    batch.add(decode_chunk(messages, {place: Position(0, epoch=epoch)}, Decoder(SystemClock())), now=0)
    return batch


def rows(client: Client, place: Partition) -> int:
    query = "SELECT count() FROM merge('raw', '^(events|dead_letters)$') WHERE kafka_topic = {topic:String}"
    return int(client.query(query, parameters={"topic": place.topic}).result_rows[0][0])


@contextmanager
def half_an_insert(settings: Settings, query_id: str) -> Iterator[None]:
    """An insert that runs in the server and waits for the rest of its rows; it fails at the end."""
    query = urllib.parse.quote("INSERT INTO raw.dead_letters (kafka_offset) FORMAT TSV")
    # More than what the server reads before it starts the query.
    sent, promised = b"1\n" * 400_000, 1_600_000
    head = f"POST /?query_id={query_id}&query={query} HTTP/1.1\r\nHost: x\r\nContent-Length: {promised}\r\n\r\n"
    with closing(socket.create_connection((settings.clickhouse_host, settings.clickhouse_port))) as connection:
        connection.sendall(head.encode() + sent)
        yield


@pytest.mark.parametrize("value", [as_json(), b"bad"])
def test_an_insert_of_an_earlier_owner_is_refused(clickhouse: Client, place: Partition, value: bytes) -> None:
    old, new = (Epochs(lambda: clickhouse, "group", f"{name}/1") for name in ("old", "new"))
    writer = ClickHouseWriter(lambda: clickhouse, old, "old", "1", SystemClock())
    before = batch_of(place, old.take([place])[place], value)
    writer.write(before)
    stale = batch_of(place, before.spans[place].epoch, value, value)
    assert new.take([place])[place] > before.spans[place].epoch
    with pytest.raises(Fenced):
        writer.write(stale)
    assert rows(clickhouse, place) == 1


def test_a_claim_that_was_given_up_does_not_stand_when_the_same_worker_claims_again(
    clickhouse: Client, place: Partition
) -> None:
    epochs = Epochs(lambda: clickhouse, "group", "w/1")
    stale = batch_of(place, epochs.take([place])[place], as_json())
    epochs.release([place])
    epochs.take([place])
    with pytest.raises(Fenced):
        ClickHouseWriter(lambda: clickhouse, epochs, "w", "1", SystemClock()).write(stale)


def test_one_stale_partition_refuses_the_whole_batch(clickhouse: Client, place: Partition) -> None:
    other = Partition(place.topic, 1)
    epochs, thief = (Epochs(lambda: clickhouse, "group", f"{name}/1") for name in ("w", "thief"))
    found = epochs.take([place, other])
    batch = batch_of(place, found[place], as_json())
    batch.spans |= batch_of(other, found[other], as_json()).spans
    thief.take([other])
    with pytest.raises(Fenced):
        ClickHouseWriter(lambda: clickhouse, epochs, "w", "1", SystemClock()).write(batch)
    assert rows(clickhouse, place) == 0


def test_a_new_owner_waits_for_the_inserts_that_were_running(
    clickhouse: Client, clickhouse_server: Settings, place: Partition
) -> None:
    running = f"{QUERY_PREFIX}{place.topic}"
    epochs = Epochs(lambda: clickhouse, "group", "new/1")
    with half_an_insert(clickhouse_server, running):
        query = "SELECT count() FROM system.processes WHERE query_id = {id:String}"
        wait_until(lambda: clickhouse.query(query, parameters={"id": running}).result_rows[0][0] == 1)
        for _ in range(3):
            with pytest.raises(RetryLater, match="an insert of an earlier owner still runs"):
                epochs.take([place])
    wait_until(lambda: clickhouse.query(query, parameters={"id": running}).result_rows[0][0] == 0)
    assert epochs.take([place]) == {place: 1}


def test_a_worker_of_another_group_takes_over_and_the_first_one_says_so_and_ends(
    clickhouse: Client, make_settings: MakeSettings, kafka_server: str
) -> None:
    settings = make_settings()
    make_topic(settings)
    sent = produce(settings, good(40))
    with running_worker(settings) as raised:
        wait_until(lambda: landed(clickhouse, settings) == sent)
        sent = sorted(sent + produce(settings, good(40)))
        ingest_all(settings.model_copy(update={"kafka_group_id": "other"}), WorkerOptions("other", True))
        sent = sorted(sent + produce(settings, good(400)))
        wait_until(lambda: bool(raised))
    assert isinstance(raised[0], Permanent)
    assert "by a worker of the group 'other'" in str(raised[0])
    ingest_all(settings.model_copy(update={"kafka_group_id": "other"}), WorkerOptions("other", True))
    assert in_both(clickhouse, settings) == sent


def test_an_owner_with_a_quote_in_its_name_cannot_break_the_insert(clickhouse: Client, place: Partition) -> None:
    epochs = Epochs(lambda: clickhouse, "it's \\ a group", "w'/1")
    batch = batch_of(place, epochs.take([place])[place], as_json())
    ClickHouseWriter(lambda: clickhouse, epochs, "w", "1", SystemClock()).write(batch)
    assert rows(clickhouse, place) == 1
