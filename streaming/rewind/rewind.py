"""Read stretches of partitions again, beside the workers and without their group.

Everything up to the mark of a partition (its highest offset in `raw.events`) is behind the workers, so only a
rewind writes there. It looks each offset up in both raw tables before it writes it, which makes it safe to repeat.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, KafkaError, TopicPartition

from contracts.clock import Clock
from contracts.errors import Fenced, RetryLater, UserError
from contracts.settings import Settings
from streaming.ingest.batch import Batch, BatchPolicy
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.consumer import ingest_config
from streaming.ingest.decode import Decoder
from streaming.ingest.epochs import Epochs
from streaming.ingest.flight import Backoff
from streaming.ingest.offsets import Ledger
from streaming.ingest.policy import DecodePolicy
from streaming.ingest.records import Partition
from streaming.ingest.writer import ClickHouseWriter, Writes
from streaming.kafka.refusal import Complaints, reach
from streaming.kafka.topics import mapped_errors
from streaming.rewind.guard import one_rewind
from streaming.rewind.journal import Journal
from streaming.rewind.known import Known
from streaming.rewind.target import Stretch, Target, partitions_of, stretch_of

_CHUNK_ROWS: Final = 4_000
# A poll for a full chunk lasts so long where fewer messages are left: at the end of every partition.
_POLL_SECONDS: Final = 0.1
_SILENCE_SECONDS: Final = 30.0
# How long one batch is tried again while ClickHouse is away; then the user is told to repeat the command.
_WRITE_SECONDS: Final = 120.0


@dataclass
class Found:
    """What a rewind found in one partition.

    Args:
        stretch: the offsets it looked at.
        read: messages read; each is one of the three below.
        known: in one of the raw tables already.
        events, letters: written, or with a dry run: would be written.
        is_unknown: ClickHouse holds no event of this partition, so its workers begin it by themselves.
    """

    stretch: Stretch
    read: int = 0
    known: int = 0
    events: int = 0
    letters: int = 0
    is_unknown: bool = False


@dataclass(frozen=True)
class RewindOptions:
    """How a rewind runs.

    Args:
        clock: the time.
        dry_run: count, and write nothing.
        wrap_writer: puts something around the writer; for tests that break it.
        progress: told what is being read, and how many offsets of how many are.
        run: the name of this run.
    """

    clock: Clock
    dry_run: bool = False
    wrap_writer: Callable[[Writes], Writes] = lambda writer: writer
    progress: Callable[[str, int, int], None] = lambda _, __, ___: None
    run: str = field(default_factory=lambda: secrets.token_hex(6))


def rewind(settings: Settings, client: Client, target: Target, options: RewindOptions) -> list[Found]:
    """Read what `target` means again and write what is missing; return what was found, by partition.

    Raises:
        UserError: the target cannot be meant, or another rewind runs or has taken over.
        RetryLater: Kafka or ClickHouse is away; what is written is written, and the command may be repeated.
        Permanent: one of them refuses.
    """
    target.check(settings)
    complaints = Complaints(settings)
    with one_rewind(settings.millrace_home), mapped_errors("settings"):
        consumer = Consumer(ingest_config(settings, "rewind") | {"error_cb": complaints})
        try:
            reach(consumer, complaints, settings.kafka_consumer_timeout_ms / 1000, "reading the topics")
            return _Rewind(settings, client, consumer, options).run(target)
        finally:
            consumer.close()


class _Rewind:
    def __init__(self, settings: Settings, client: Client, consumer: Any, options: RewindOptions) -> None:
        self._settings, self._client, self._consumer = settings, client, consumer
        self._clock, self._is_dry, self._progress = options.clock, options.dry_run, options.progress
        self._policy = BatchPolicy.of(settings)
        # A scope of its own: workers go on beside it, and of two rewinds the later one takes over.
        self._epochs = Epochs(lambda: client, "rewind", options.run, scope="rewind")
        writer = ClickHouseWriter(lambda: client, self._epochs, "rewind", options.run, options.clock)
        self._writer = options.wrap_writer(writer)
        self._journal = Journal(lambda: client, options.run)
        self._decoder = Decoder(options.clock, DecodePolicy.of(settings))
        self._backoff = Backoff(random.Random())  # noqa: S311 - jitter, no secret

    def run(self, target: Target) -> list[Found]:
        partitions = partitions_of(self._consumer, self._settings, target)
        marks = Ledger(lambda: self._client).resume(partitions)
        found = []
        for partition in partitions:
            mark = marks[partition].next_offset
            stretch = stretch_of(self._consumer, target, partition, mark or 0)
            found.append(Found(stretch, is_unknown=mark is None))
            if stretch.first < stretch.end:
                self._read_again(found[-1])
        return found

    def _read_again(self, found: Found) -> None:
        stretch = found.stretch
        known = Known(lambda: self._client, stretch.partition)
        positions = {stretch.partition: Position(stretch.first)}
        if not self._is_dry:
            self._retry(lambda: self._epochs.take([stretch.partition]))
            positions[stretch.partition].epoch = self._epochs.take([stretch.partition])[stretch.partition]
        batch, has_begun = Batch(), False
        with mapped_errors("reading"):
            self._consumer.assign([TopicPartition(*stretch.partition, stretch.first)])
        for messages in self._chunks(stretch):
            found.read += len(messages)
            through = messages[-1].offset() + 1 - stretch.first
            self._progress(f"reading {stretch.partition} again", through, stretch.end - stretch.first)
            missing = [message for message in messages if message.offset() not in known]
            found.known += len(messages) - len(missing)
            if not missing:
                continue
            if not has_begun and not self._is_dry:
                self._retry(lambda: self._journal.begin(stretch))
                has_begun = True
            batch.add(decode_chunk(missing, positions, self._decoder), self._clock.monotonic())
            if batch.is_full(self._policy):
                batch = self._write(batch, found)
        self._write(batch, found)
        if not self._is_dry:
            self._retry(lambda: self._journal.end(stretch))

    def _chunks(self, stretch: Stretch) -> Any:
        """Yield the stretch's messages until its end was read."""
        heard_at = self._clock.monotonic()
        while True:
            with mapped_errors("reading"):
                received = self._consumer.consume(_CHUNK_ROWS, _POLL_SECONDS)
            if not received:
                if self._clock.monotonic() - heard_at > _SILENCE_SECONDS:
                    raise RetryLater(f"Kafka sends nothing of {stretch.partition}; repeat the command when it does")
                continue
            heard_at = self._clock.monotonic()
            messages = [each for each in received if each.error() is None and each.offset() < stretch.end]
            if messages:
                yield messages
            if any(_is_past(each, stretch) for each in received):
                return

    def _write(self, batch: Batch, found: Found) -> Batch:
        found.events += batch.event_rows
        found.letters += batch.letter_rows
        if not batch.is_empty() and not self._is_dry:
            self._retry(lambda: self._writer.write(batch))
        return Batch()

    def _retry(self, work: Callable[[], object]) -> None:
        """Do the work; while ClickHouse is away, again and again for two minutes."""
        deadline = self._clock.monotonic() + _WRITE_SECONDS
        while True:
            try:
                work()
            except RetryLater as error:
                if self._clock.monotonic() >= deadline:
                    raise
                self._clock.sleep(self._backoff.next(error))
            except Fenced as error:
                raise UserError("another `millrace rewind` has taken over; wait for its end") from error
            else:
                self._backoff.reset()
                return


def _is_past(message: Any, stretch: Stretch) -> bool:
    """Tell whether a message, or the report of the partition's end, shows that the stretch is read."""
    error = message.error()
    if error is None:
        return bool(message.offset() >= stretch.end - 1)
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the code has no public alias
        return bool(message.offset() >= stretch.end)
    raise RetryLater(f"Kafka: reading {Partition(*stretch.partition)}: {error.str()}")
