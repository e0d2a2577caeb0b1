"""What the tests of ingest share: topics with known content, workers, and what landed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from contracts.settings import Settings
from local.paths import ROOT
from streaming.ingest.worker import WorkerOptions, run_worker
from tests.patience import WAIT_SECONDS
from tests.unit.streaming.ingest.messages import as_json

PARTITIONS = 4
Offsets = list[tuple[int, int]]


def good(number: int) -> list[bytes]:
    """This many valid events, each with an id of its own."""
    return [as_json(event_id=str(uuid.uuid4()), user_id=f"u{index}") for index in range(number)]


def make_topic(settings: Settings) -> None:
    """Create the settings' topic and return when the broker shows it."""
    admin = AdminClient({"bootstrap.servers": settings.kafka_broker_url})
    if settings.kafka == "memory":
        # The built-in broker takes no orders; a question by name makes a topic of four partitions.
        wait_until(lambda: len(admin.list_topics(settings.kafka_topic, 5).topics[settings.kafka_topic].partitions) > 0)
        return
    new = NewTopic(settings.kafka_topic, num_partitions=PARTITIONS, replication_factor=1)
    admin.create_topics([new])[settings.kafka_topic].result()
    wait_until(lambda: settings.kafka_topic in admin.list_topics(timeout=5).topics)


def produce(settings: Settings, values: Sequence[bytes | None]) -> Offsets:
    """Send the values round the partitions; return the (partition, offset) each one got."""
    sent: Offsets = []
    producer = Producer({"bootstrap.servers": settings.kafka_broker_url, "linger.ms": 5})
    for index, value in enumerate(values):
        producer.produce(
            settings.kafka_topic,
            value,
            key=b"k",
            partition=index % PARTITIONS,
            headers=[("trace", b"\xff"), ("empty", None)],
            on_delivery=lambda error, message: sent.append((message.partition(), message.offset())),
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    return sorted(sent)


def landed(client: Client, settings: Settings, table: str = "raw.events") -> Offsets:
    """The (partition, offset) of every row of the topic, repeats included."""
    query = f"SELECT kafka_partition, kafka_offset FROM {table} WHERE kafka_topic = {{topic:String}}"
    rows = client.query(query, parameters={"topic": settings.kafka_topic}).result_rows
    return sorted((row[0], row[1]) for row in rows)


def in_both(client: Client, settings: Settings) -> Offsets:
    """The (partition, offset) of every row of both raw tables, repeats included."""
    return sorted(landed(client, settings) + landed(client, settings, "raw.dead_letters"))


def ingest_all(settings: Settings, options: WorkerOptions | None = None) -> None:
    """Run a worker until everything in the topic is written."""
    chosen = options or WorkerOptions(until_caught_up=True)
    with deadline(WAIT_SECONDS) as stop:
        run_worker(settings, stop, chosen)
        assert not stop.is_set(), "the worker did not catch up in time"


@contextmanager
def deadline(seconds: float) -> Iterator[threading.Event]:
    """An event that sets itself after `seconds`, so that a test that hangs fails instead."""
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()


@contextmanager
def running_worker(settings: Settings, options: WorkerOptions | None = None) -> Iterator[list[BaseException]]:
    """A worker in a thread; yields the list that gets what it raised."""
    stop, raised = threading.Event(), []

    def work() -> None:
        try:
            run_worker(settings, stop, options)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the worker did not leave"


def worker_process(settings: Settings, *options: str, **environment: str) -> subprocess.Popen[str]:
    """A worker as users start it."""
    variables = {
        "KAFKA_BROKER_URL": settings.kafka_broker_url,
        "KAFKA_TOPIC": settings.kafka_topic,
        "KAFKA_GROUP_ID": settings.kafka_group_id,
        "KAFKA_FLUSH_INTERVAL": str(settings.kafka_flush_interval),
        "INGEST_METRICS_PORT": str(settings.ingest_metrics_port),
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "CLICKHOUSE_CLUSTER": settings.clickhouse_cluster,
        "CLICKHOUSE_REPLICATED": str(settings.clickhouse_replicated),
        "CLICKHOUSE_USER": settings.clickhouse_user,
        "CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "MILLRACE_HOME": str(settings.millrace_home),
    }
    program = "from cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "ingest", *options],
        cwd=ROOT,
        env={**os.environ, **variables, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Poll until `condition` holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come in time"
        time.sleep(0.05)
