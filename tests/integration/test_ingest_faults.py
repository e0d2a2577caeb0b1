"""Whatever dies, each offset is in exactly one raw table, exactly once."""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.clock import ManualClock
from contracts.settings import Settings
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate
from streaming.ingest.batch import Batch
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.epochs import Epochs
from streaming.ingest.records import Partition
from streaming.ingest.worker import WorkerOptions, state_file
from streaming.ingest.writer import ClickHouseWriter, Writes
from tests.integration.ingest_tools import (
    PARTITIONS,
    good,
    in_both,
    ingest_all,
    landed,
    make_topic,
    produce,
    running_worker,
    wait_until,
    worker_process,
)
from tests.patience import WAIT_SECONDS
from tests.unit.streaming.ingest.messages import FakeMessage, as_json

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]
EVENTS_0 = Partition("events", 0)


class Died(Exception):
    """Stands for the death of a worker at a chosen place."""


def dying_after_one_insert(writer: Writes) -> Writes:
    """A writer whose process dies between the two inserts of a batch, after the first one landed."""
    insert = writer._insert

    def once(*arguments: object) -> None:
        insert(*arguments)
        raise Died

    writer._insert = once
    return writer


class CuttingProxy:
    """Passes TCP on to ClickHouse; `cut` ends that many connections just when an insert was answered."""

    def __init__(self, target: int) -> None:
        self.cut = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self._target))
            pair = {"insert": False}
            threading.Thread(target=self._pump, args=(near, far, pair, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, pair, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, pair: dict[str, bool], asks: bool) -> None:
        try:
            while data := source.recv(65536):
                if asks:
                    pair["insert"] |= b"INSERT" in data
                elif pair["insert"] and self.cut:
                    self.cut -= 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def state(settings: Settings, name: str = "worker-1") -> dict[str, object]:
    path = state_file(settings, name)
    return dict(json.loads(path.read_text())) if path.exists() else {}


def test_death_between_dead_letters_and_events_loses_and_doubles_nothing(
    clickhouse: Client, make_settings: MakeSettings
) -> None:
    settings = make_settings(kafka_flush_interval=20)
    make_topic(settings)
    values = good(200)
    values[50:60] = [b"bad"] * 10
    sent = produce(settings, values)
    with pytest.raises(Died):
        ingest_all(settings, WorkerOptions(until_caught_up=True, wrap_writer=dying_after_one_insert))
    assert len(landed(clickhouse, settings, "raw.dead_letters")) == 10
    assert landed(clickhouse, settings) == []
    # Batches of another size: no token can stand in for knowing which letters are there.
    ingest_all(settings.model_copy(update={"kafka_batch_size": 7}))
    assert in_both(clickhouse, settings) == sent
    assert len(landed(clickhouse, settings, "raw.dead_letters")) == 10


def test_kill_9_in_the_middle_loses_and_doubles_nothing(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    make_topic(settings)
    values: list[bytes | None] = [*good(30_000)]
    for place in random.Random(5).sample(range(len(values)), 100):
        values[place] = b"bad"
    sent = produce(settings, values)
    victim = worker_process(settings, KAFKA_BATCH_SIZE="500")
    wait_until(lambda: len(landed(clickhouse, settings)) > 1_000)
    victim.kill()
    victim.wait(10)
    assert len(landed(clickhouse, settings)) < len(sent), "the worker was done before it was killed"
    # A group of its own: the next worker need not wait until the broker notices the death.
    ingest_all(settings.model_copy(update={"kafka_group_id": "next-" + settings.kafka_group_id}))
    assert in_both(clickhouse, settings) == sent


def test_clickhouse_may_go_and_come_back(make_settings: MakeSettings, tmp_path: Path) -> None:
    http, native = free_ports(2)
    server = RunningService(clickhouse_service(tmp_path / "server", http, native), tmp_path)
    server.start()
    server.wait_ready()
    settings = make_settings(clickhouse_port=http)
    migrate(connect(settings), settings)
    make_topic(settings)
    sent = produce(settings, [*good(100), b"bad"])
    try:
        with running_worker(settings) as raised:
            wait_until(lambda: in_both(connect(settings), settings) == sent)
            server.kill()
            sent = sorted(sent + produce(settings, [*good(500), b"bad"]))
            wait_until(lambda: "waiting for ClickHouse" in str(state(settings).get("reason")))
            assert state(settings)["state"] == "waiting"
            server.start()
            server.wait_ready()
            wait_until(lambda: in_both(connect(settings), settings) == sent)
            wait_until(lambda: state(settings)["state"] == "running")
            assert not raised
    finally:
        server.kill()


def test_an_answer_lost_after_the_insert_doubles_nothing(clickhouse: Client, make_settings: MakeSettings) -> None:
    proxy = CuttingProxy(make_settings().clickhouse_port)
    settings = make_settings(clickhouse_port=proxy.port)
    make_topic(settings)
    with running_worker(settings) as raised:
        wait_until(lambda: state(settings).get("state") == "running")
        # clickhouse-connect repeats a broken request by itself; the third cut reaches our own back-off.
        proxy.cut = 3
        sent = produce(settings, [*good(50), b"bad"])
        wait_until(lambda: proxy.cut == 0 and state(settings).get("rows") == 50)
        assert not raised
    assert in_both(clickhouse, settings) == sent


def test_a_try_after_midnight_is_recognised(clickhouse: Client, make_settings: MakeSettings) -> None:
    """The server looks for a token only among the parts of one day, so a new day's stamp would double."""
    clock = ManualClock(datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC))
    settings = make_settings()
    epochs = Epochs(lambda: clickhouse, "group", "w/r")
    epoch = epochs.take([EVENTS_0])[EVENTS_0]
    chunk = decode_chunk([FakeMessage(as_json())], {EVENTS_0: Position(0, epoch=epoch)}, Decoder(clock))
    batch = Batch()
    batch.add(chunk, now=0)
    writer = ClickHouseWriter(lambda: clickhouse, epochs, "w", "r", clock)
    writer.write(batch)
    clock.sleep(600)
    writer.write(batch)
    assert landed(clickhouse, settings.model_copy(update={"kafka_topic": "events"})) == [(0, 0)]


def test_sigterm_writes_what_is_in_hand(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(kafka_flush_interval=4 * WAIT_SECONDS)  # the flush must not be what ends it
    make_topic(settings)
    sent = produce(settings, good(50))
    worker = worker_process(settings)
    wait_until(lambda: state(settings).get("in_hand") == len(sent))
    worker.send_signal(signal.SIGTERM)
    output, _ = worker.communicate(timeout=WAIT_SECONDS)
    assert (worker.returncode, in_both(clickhouse, settings) == sent) == (0, True), output


def test_sigterm_leaves_at_once_while_clickhouse_is_away(make_settings: MakeSettings) -> None:
    settings = make_settings(clickhouse_port=free_ports(1)[0])
    worker = worker_process(settings)
    wait_until(lambda: "waiting for ClickHouse" in str(state(settings).get("reason")))
    worker.send_signal(signal.SIGTERM)
    output, _ = worker.communicate(timeout=WAIT_SECONDS)
    assert worker.returncode == 0, output


def test_a_missing_topic_is_waited_for(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    with running_worker(settings) as raised:
        wait_until(lambda: f"topic {settings.kafka_topic} does not exist" in str(state(settings).get("reason")))
        make_topic(settings)
        sent = produce(settings, good(20))
        wait_until(lambda: in_both(clickhouse, settings) == sent)
        assert not raised


def test_workers_that_come_and_go_share_the_partitions(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(kafka_flush_interval=1.5)
    make_topic(settings)
    sent = produce(settings, good(3_000))
    with running_worker(settings, WorkerOptions(name="one")) as first:
        wait_until(lambda: state(settings, "one").get("partitions") == PARTITIONS)
        with running_worker(settings, WorkerOptions(name="two")) as second:
            while not state(settings, "two").get("partitions"):
                sent += produce(settings, good(200))
            assert state(settings, "one")["partitions"] != PARTITIONS
        sent += produce(settings, good(1_000))
        wait_until(lambda: state(settings, "one").get("partitions") == PARTITIONS)
        wait_until(lambda: len(in_both(clickhouse, settings)) >= len(sent))
        assert (first, second) == ([], [])
    assert in_both(clickhouse, settings) == sorted(sent)
