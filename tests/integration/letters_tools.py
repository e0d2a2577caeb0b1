"""What the tests of `millrace dead-letters` share: bad messages, and the program as users call it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from clickhouse_connect.driver.client import Client
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from cli.main import run
from contracts.settings import Settings
from local.paths import ROOT
from tests.integration.ingest_tools import PARTITIONS, Offsets
from tests.patience import PROGRAM_SECONDS

MakeSettings = Callable[..., Settings]
Headers = list[tuple[str, bytes | None]]
ORIGIN = "millrace-replay-of"

UNICODE = '{"nicht": "gültig ✓ 日本語"'.encode()
BINARY = bytes(range(256))
BIG = b"x" * 900_000
ESCAPES = b"\x1b[31mred\x1b[0m \xe2\x80\xae backwards"
BAD: tuple[bytes | None, ...] = (UNICODE, BINARY, None, BIG, ESCAPES, b"", b"[]")


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make a program use these settings."""
    return os.environ | {
        "KAFKA_BROKER_URL": settings.kafka_broker_url,
        "KAFKA_TOPIC": settings.kafka_topic,
        "KAFKA": settings.kafka,
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "CLICKHOUSE_CLUSTER": settings.clickhouse_cluster,
        "CLICKHOUSE_REPLICATED": str(settings.clickhouse_replicated),
        "CLICKHOUSE_USER": settings.clickhouse_user,
        "CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "MILLRACE_HOME": str(settings.millrace_home),
    }


@dataclass
class Done:
    """How a command ended, with its output as bytes and as text."""

    code: int
    raw: bytes
    error: str

    @property
    def text(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


def letters(settings: Settings, *arguments: str) -> Done:
    """Run `millrace dead-letters …` and return how it ended."""
    out, error = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with patch.dict(os.environ, environment(settings)), redirect_stdout(out), redirect_stderr(error):
        code = run(["dead-letters", *arguments])
        out.flush()
    return Done(code, out.buffer.getvalue(), error.getvalue())


def letters_process(settings: Settings, program: str, *arguments: str) -> int:
    """Run `millrace dead-letters …` in a process that first executes `program`; return the process's exit code."""
    command = [sys.executable, "-c", f"{program}; from cli.main import main; main()", "dead-letters", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(settings), check=False, timeout=PROGRAM_SECONDS).returncode


def produce_bad(settings: Settings, values: Sequence[bytes | None], keys: Sequence[bytes | None] = (b"k",)) -> Offsets:
    """Send values round the partitions with keys in turn; return where each one went, in their order."""
    sent: dict[int, tuple[int, int]] = {}
    producer = Producer({"bootstrap.servers": settings.kafka_broker_url, "linger.ms": 5})
    for index, value in enumerate(values):
        producer.produce(
            settings.kafka_topic,
            value,
            key=keys[index % len(keys)],
            partition=index % PARTITIONS,
            headers=[("trace", b"\xff\x00"), ("empty", None), ("trace", "zwölf".encode())],
            on_delivery=lambda _, message, at=index: sent.update({at: (message.partition(), message.offset())}),
        )
    assert producer.flush(30) == 0
    return [sent[index] for index in range(len(values))]


@dataclass(frozen=True)
class Found:
    """A message as it lies in the topic."""

    place: tuple[int, int]
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def origin(self) -> str | None:
        """What the header says that it replays."""
        return next((value.decode() for name, value in reversed(self.headers) if name == ORIGIN and value), None)


def topic_content(settings: Settings) -> list[Found]:
    """Every message of the topic by partition and offset, read by a consumer of the test's own."""
    config = {
        "bootstrap.servers": settings.kafka_broker_url,
        "group.id": "test",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        # The end of an empty partition is told at once, not after the default of half a second.
        "fetch.wait.max.ms": 5,
    }
    consumer = Consumer(config)
    # Without the topic's metadata the first fetch waits for half a second.
    consumer.list_topics(settings.kafka_topic, timeout=10)
    consumer.assign([TopicPartition(settings.kafka_topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
    found, left = [], set(range(PARTITIONS))
    while left:
        message = consumer.poll(10)
        assert message is not None
        if message.error() is None:
            place = (message.partition(), message.offset())
            found.append(Found(place, message.key(), message.value(), message.headers() or []))
        else:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            left.discard(message.partition())
    consumer.close()
    return sorted(found, key=lambda each: each.place)


def replays(settings: Settings) -> dict[str, list[Found]]:
    """The messages of the topic that are replays, by what they replay."""
    by_origin: dict[str, list[Found]] = {}
    for message in topic_content(settings):
        if message.origin is not None:
            by_origin.setdefault(message.origin, []).append(message)
    return by_origin


def everything(settings: Settings) -> Offsets:
    """The (partition, offset) of every message of the topic."""
    return sorted(message.place for message in topic_content(settings))


def place(settings: Settings, where: tuple[int, int]) -> str:
    """The place as users write it."""
    return f"{settings.kafka_topic}:{where[0]}:{where[1]}"


def actions(client: Client, settings: Settings) -> list[tuple[str, int]]:
    """How many letters of the topic have each action."""
    query = (
        "SELECT toString(action), uniqExact(kafka_partition, kafka_offset) FROM ops.dead_letter_actions "
        "WHERE kafka_topic = {topic:String} GROUP BY action ORDER BY toString(action)"
    )
    rows = client.query(query, parameters={"topic": settings.kafka_topic}).result_rows
    return [(str(name), int(count)) for name, count in rows]
