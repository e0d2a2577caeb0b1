"""Messages into Kafka: idempotent, compressed, in batches; every single one is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
from confluent_kafka import KafkaError, Message, Producer

from contracts.clock import Clock
from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from streaming.kafka.client import mapped, producer_config
from streaming.kafka.refusal import refusal
from streaming.kafka.topics import ensure_topic, mapped_errors
from streaming.produce.messages import Messages
from streaming.produce.record import Recorder, Summary, write_summary

# Messages waiting in librdkafka: enough to keep it busy, half of what its queue holds.
_IN_FLIGHT: Final = 100_000
_FLUSH_SECONDS: Final = 125.0  # a little over delivery.timeout.ms: by then each message has its answer
_SUMMARY_SECONDS: Final = 1.0


class Pacer(Protocol):
    """Holds the producer back while a broker with little room has unread messages."""

    @property
    def chunk(self) -> int:
        """Messages to send between two questions, at most."""

    def wait(self, messages: int, size: int) -> bool:
        """Return True when so many messages of `size` bytes may be sent, False to give up."""


@dataclass
class _Batch:
    """A batch under way: which message landed where; -1 until Kafka confirms it."""

    messages: Messages
    pending: int
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


class EventProducer:
    """Sends messages to the events' topic and records what Kafka confirmed.

    Args:
        settings: the broker and the topic, which is created when it is missing.
        folder: where the record and `produced.json` go.
        clock: for rates, ages and names.
        pacer: asked before each batch; None sends at once.
        say: told once when Kafka cannot be reached, and once when it is back.

    Raises:
        UserError: the folder cannot be written.
        RetryLater, Permanent: the topic is missing and cannot be created.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        clock: Clock,
        pacer: Pacer | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._recorder = Recorder(folder, clock)
        self.partitions = ensure_topic(settings, clock=clock)
        self.summary = Summary(started_at=clock.now().isoformat())
        self._topic, self._folder, self._clock, self._pacer = settings.produced_topic, folder, clock, pacer
        with mapped_errors("producer"):
            self._producer = Producer(producer_config(settings) | {"error_cb": self._trouble})
        self._say, self._address, self._is_away = say, settings.kafka_broker_url, False
        self._settings = settings
        self._fatal: Permanent | None = None
        self._was_refused = False
        self._by_fault: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._written = (clock.monotonic() - _SUMMARY_SECONDS, 0)

    def send(self, messages: Messages) -> None:
        """Hand a batch to Kafka; waits while the queue or the pacer's room is full.

        Raises:
            Permanent: Kafka refuses this producer for good.
        """
        if self._pacer is None:
            self._send(messages)
            return
        for start in range(0, len(messages), self._pacer.chunk):
            part = messages.part(start, start + self._pacer.chunk)
            # The pacer looks at the partitions' ends, so what was sent before must have arrived.
            self._producer.flush(_FLUSH_SECONDS)
            if not self._pacer.wait(len(part), sum(len(value or b"") for value in part.values)):
                return
            self._send(part)

    def _send(self, messages: Messages) -> None:
        if len(messages) == 0:
            return
        batch = _Batch(messages, len(messages), [-1] * len(messages), [-1] * len(messages))
        waiting: list[dict[str, Any]] = [
            {"key": key, "value": value, "callback": partial(self._answered, batch, index)}
            for index, (key, value) in enumerate(zip(messages.keys, messages.values, strict=True))
        ]
        self.summary.events_produced += len(messages)
        newest = messages.record["event_time"].max()
        if isinstance(newest, datetime):  # None when every message is malformed
            self.summary.last_event_at = newest.isoformat()
        while waiting:
            waiting = self._queue(waiting)
        self.tick()

    def tick(self) -> None:
        """Take Kafka's answers in and keep the files fresh; call it at least each second when idle.

        Raises:
            Permanent: Kafka refuses this producer for good.
        """
        self._producer.poll(0)
        if self._fatal is not None:
            raise self._fatal
        self._recorder.flush_if_due()
        if self._clock.monotonic() - self._written[0] >= _SUMMARY_SECONDS:
            self.write_summary()

    def write_summary(self) -> None:
        """Write `produced.json` now."""
        summary, now = self.summary, self._clock.monotonic()
        before, delivered = self._written
        summary.rate = round((summary.delivered - delivered) / max(now - before, 1e-3), 1)
        summary.by_fault, summary.errors = dict(self._by_fault), dict(self._errors)
        write_summary(self._folder, summary)
        self._written = (now, summary.delivered)

    def flush(self) -> None:
        """Wait until each message has its answer, and write the record out.

        Raises:
            RetryLater: Kafka gave no answer in time; the messages in question are counted as failed.
        """
        unanswered = self._producer.flush(_FLUSH_SECONDS)
        self._recorder.flush()
        self.summary.failed += unanswered
        self.write_summary()
        if unanswered:
            raise RetryLater(f"Kafka gave no answer about {unanswered:,} messages in {_FLUSH_SECONDS:g} s")

    def close(self, phase: str = "done") -> None:
        """Flush, and leave `produced.json` saying that this run is over."""
        self.summary.phase, self.summary.finished_at = phase, self._clock.now().isoformat()
        self.flush()

    def _queue(self, waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Queue what fits; return what did not fit, to be tried again."""
        while len(self._producer) > _IN_FLIGHT:
            self._producer.poll(0.05)
        with mapped_errors("produce"):
            queued = self._producer.produce_batch(self._topic, waiting)
        if queued == len(waiting):
            return []
        refused = [message for message in waiting if "_error" in message]
        again = []
        for message in refused:
            error = message.pop("_error")
            if error.code() == KafkaError._QUEUE_FULL:  # noqa: SLF001 - the code has no public alias
                again.append(message)
            else:  # too large for the broker, for one: this message fails, the others go on
                message["callback"](error, None)
        self._producer.poll(0.05)
        return again

    def _answered(self, batch: _Batch, index: int, error: KafkaError | None, message: Message | None) -> None:
        """Take one delivery report in; runs inside `poll`, once for each message."""
        if error is None and message is not None:
            # A confirmed message has both; the types allow for messages that were never sent.
            batch.partitions[index] = message.partition() or 0
            batch.offsets[index] = message.offset() or 0
        else:
            self.summary.failed += 1
            self._errors[error.name() if error is not None else "UNKNOWN"] += 1
        batch.pending -= 1
        if batch.pending == 0:
            self._confirm(batch)

    def _confirm(self, batch: _Batch) -> None:
        """Put the batch's delivered messages into the record."""
        rows = batch.messages.record.with_columns(
            pl.lit(self._topic).alias("topic"),
            pl.Series("partition", np.array(batch.partitions, dtype=np.int32)),
            pl.Series("offset", np.array(batch.offsets, dtype=np.int64)),
        ).filter(pl.col("offset") >= 0)
        self.summary.delivered += rows.height
        self._was_refused = False
        if rows.height and self._is_away:
            self._is_away = False
            self._say(f"Kafka at {self._address} is back")
        faults = rows.filter(pl.col("fault") != "")["fault"].value_counts()
        self._by_fault.update(dict(faults.iter_rows()))
        self._recorder.add(rows)

    def _trouble(self, error: KafkaError) -> None:
        # Connections that come and go are librdkafka's business; a person wants to know when all are gone.
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self._is_away:  # noqa: SLF001 - no public alias
            self._is_away = True
            self._say(f"Kafka at {self._address} cannot be reached; events wait and are sent when it is back")
        refused = refusal(error, self._settings)
        if refused is not None:
            # It let us in when the topic was looked at, so this may pass: a broker that restarts, a new certificate.
            if not self._was_refused:
                self._was_refused = True
                self._say(f"{refused}; events wait and are sent when it lets us in again")
            return
        found = mapped(error, "producer")
        if isinstance(found, Permanent):
            self._fatal = found
