"""Archived events through Kafka again: each as a message with the fields that its row has, in the order it had there.

Key, fields and values are those of the row; the bytes are not the client's: JSON is spelled anew (order and spelling
of names, spaces, ids as text), and ingest reads the same columns from it. Dead letters are sent with
the very bytes, key and headers. A message says in a header which row it is of, as replayed dead letters do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from archive.manifest import folder
from archive.place import current, read_manifests
from archive.readback import damage, duckdb_errors, open_duckdb, relation
from archive.store import Store
from archive.tables import EVENTS, LETTERS, RawTable
from contracts.errors import Permanent, RetryLater, UserError
from contracts.event import TEXT_FIELDS
from contracts.settings import Settings
from streaming.kafka.client import producer_config
from streaming.kafka.topics import mapped_errors
from streaming.letters.topic import ORIGIN_HEADER

_BATCH_ROWS: Final = 20_000
_TOLD_ROWS: Final = 1_000
_IN_FLIGHT: Final = 50_000
_METADATA_SECONDS: Final = 10.0
_FLUSH_SECONDS: Final = 125.0  # a little over delivery.timeout.ms: by then each message has its answer
# The broker decides what is too large; librdkafka's own limit would refuse what other clients could send.
_MAX_BYTES: Final = 64_000_000
# Money is written with the digits it has; a float would lose some.
_JSON: Final = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class ReplayOptions:
    """How days are sent.

    Args:
        topic: where to; None: to the topic each row came from.
        dead_letters: whether dead letters are sent, too.
        original_time: whether messages get the time stamps they had; otherwise the time of sending.
        progress: told what is being sent, and how many messages of how many are.
    """

    topic: str | None = None
    dead_letters: bool = False
    original_time: bool = False
    progress: Callable[[str, int, int], None] = lambda _, __, ___: None


@dataclass
class Report:
    """What Kafka answered: messages confirmed, and messages that were not, by reason."""

    sent: int = 0
    failed: dict[str, int] = field(default_factory=dict)


def replay_day(settings: Settings, store: Store, day: date, options: ReplayOptions) -> Report:
    """Send the archived rows of `day`.

    Raises:
        UserError: the day is not archived, or the topic lacks the partitions of its rows.
        RetryLater, Permanent: a neighbour is away, or refuses, or a file is damaged.
    """
    tables = (EVENTS, LETTERS) if options.dead_letters else (EVENTS,)
    names = {table: _files(store, table, day) for table in tables}
    with mapped_errors("sending"):
        producer = Producer(producer_config(settings) | {"message.max.bytes": _MAX_BYTES})
    sender = _Sender(producer, options)
    for table, (files, total) in names.items():
        for number, row in enumerate(_rows(store, files), 1):
            sender.send(row, _event(row) if table is EVENTS else row["payload"], _key(row, table), _headers(row))
            if number % _TOLD_ROWS == 0 or number == total:
                options.progress(f"sending {table.name} of {day}", number, total)
    return sender.finish()


class _Sender:
    def __init__(self, producer: Producer, options: ReplayOptions) -> None:
        self._producer, self._options = producer, options
        self._partitions: dict[str, int] = {}
        self._report = Report()

    def send(self, row: Mapping[str, Any], value: bytes | None, key: bytes | None, headers: list[Any]) -> None:
        topic = self._options.topic or str(row["kafka_topic"])
        partition = int(row["kafka_partition"])
        self._check(topic, partition)
        while len(self._producer) > _IN_FLIGHT:
            self._producer.poll(0.05)
        # 0 is the moment of sending.
        stamp = int(row["kafka_timestamp"].timestamp() * 1000) if self._options.original_time else 0
        try:
            self._producer.produce(
                topic, value, key, partition, on_delivery=self._answered, timestamp=stamp, headers=headers
            )
        except KafkaException as error:
            self._failed(error.args[0])
        self._producer.poll(0)

    def finish(self) -> Report:
        left = self._producer.flush(_FLUSH_SECONDS)
        if left:
            raise RetryLater(f"Kafka gave no answer about {left:,} messages; {self._report.sent:,} were sent")
        return self._report

    def _check(self, topic: str, partition: int) -> None:
        if topic not in self._partitions:
            with mapped_errors(f"reading {topic}"):
                known = self._producer.list_topics(timeout=_METADATA_SECONDS).topics.get(topic)
            if known is None or known.error is not None:
                raise UserError(f"there is no topic {topic}; create it, or name another one with --topic")
            self._partitions[topic] = len(known.partitions)
        has = self._partitions[topic]
        if partition >= has:
            raise UserError(
                f"the archive has rows of partition {partition}, and {topic} has only {has}: name a topic with as many"
            )

    def _answered(self, error: KafkaError | None, message: Message) -> None:
        del message
        if error is None:
            self._report.sent += 1
        else:
            self._failed(error)

    def _failed(self, error: KafkaError) -> None:
        reason = str(error.str())
        self._report.failed[reason] = self._report.failed.get(reason, 0) + 1


def _files(store: Store, table: RawTable, day: date) -> tuple[list[str], int]:
    """Return the names of the day's files, and how many rows are in them."""
    manifests = list(current(read_manifests(store, table, day)).values())
    if not manifests:
        raise UserError(f"{day} is not in the archive; `millrace archive list` shows what is")
    where = folder(table, day)
    for manifest in manifests:
        if wrong := damage(store, where, manifest):
            raise Permanent(wrong)
    names = [f"{where}/{file.name}" for manifest in manifests for file in manifest.files]
    return names, sum(manifest.rows for manifest in manifests)


def _rows(store: Store, files: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the files by topic, partition and offset; DuckDB sorts, on the disk where memory is short."""
    if not files:
        return
    with open_duckdb() as connection, duckdb_errors():
        source = relation([store.readable(connection, name) for name in files])
        order = "ORDER BY kafka_topic, kafka_partition, kafka_offset"
        found = connection.execute(f"SELECT * FROM {source} {order}")  # noqa: S608 - our own names
        reader: Any = found.to_arrow_reader(_BATCH_ROWS)
        for batch in reader:
            yield from batch.to_pylist()


def _event(row: Mapping[str, Any]) -> bytes:
    moment: datetime = row["event_time"]
    zone = timezone(timedelta(minutes=row["event_utc_offset"]))
    sent: dict[str, Any] = {
        "event_id": str(row["event_id"]),
        "event_type": row["event_type"],
        "timestamp": moment.astimezone(zone).isoformat(),
        "user_id": row["user_id"],
    }
    sent |= {name: row[name] for name in TEXT_FIELDS if row.get(name)}
    sent |= {name: row[name] for name in ("price", "quantity") if row[name] is not None}
    if row["properties"]:
        sent["properties"] = msgspec.Raw(row["properties"].encode())
    return _JSON.encode(sent)


def _key(row: Mapping[str, Any], table: RawTable) -> bytes | None:
    key: bytes | None = row["user_id"].encode() if table is EVENTS else row["key"]
    return key


def _headers(row: Mapping[str, Any]) -> list[tuple[str, bytes | None]]:
    origin = f"{row['kafka_topic']}:{row['kafka_partition']}:{row['kafka_offset']}"
    own = [(one["name"].decode(), one["value"]) for one in row.get("headers") or ()]
    return [*own, (ORIGIN_HEADER, origin.encode())]
