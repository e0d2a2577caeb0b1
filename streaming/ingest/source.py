"""The Kafka side of a worker: its partitions, where they are read from, and how far they are."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from contracts.errors import MillraceError, Permanent, RetryLater
from contracts.settings import Settings
from contracts.topics import absent, missing_topics
from streaming.ingest.chunks import Position
from streaming.ingest.consumer import Owner, ingest_config, with_offsets
from streaming.ingest.ends import Ends
from streaming.ingest.epochs import Epochs
from streaming.ingest.first_start import remembered_start
from streaming.ingest.offsets import Ledger, Resume, start_offset
from streaming.ingest.records import Message, Partition, Span
from streaming.ingest.standing import REBALANCES, Reading, Rebalance, Standing
from streaming.kafka.client import mapped
from streaming.kafka.refusal import Complaints, reach
from streaming.kafka.topics import mapped_errors

_METADATA_SECONDS: Final = 5.0
# Asked again and again between polls, so it must not keep a worker from leaving.
_CHECK_SECONDS: Final = 0.5
_GONE: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own codes have no public alias
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)

log = logging.getLogger("millrace.ingest")


class Source:
    """A consumer that owns its positions: they come from ClickHouse, never from Kafka's commits.

    A partition is *placed* once its start is known. One that was assigned while ClickHouse or the broker
    did not answer stays paused and unplaced until `place` succeeds; what is fetched of it is ignored.

    Args:
        settings: the broker, the group and the topics.
        worker: the worker's name, shown on the broker's side.
        ledger: tells what ClickHouse holds.
        epochs: this worker's claims on partitions.
        owner: asked before partitions are given away.
    """

    def __init__(self, settings: Settings, worker: str, ledger: Ledger, epochs: Epochs, owner: Owner) -> None:
        self.positions: dict[Partition, Position] = {}
        self.unplaced: set[Partition] = set()
        self.trouble: str | None = None
        self.was_assigned = False
        self._topics = list(settings.topics)
        self._ledger = ledger
        self._epochs = epochs
        self._owner = owner
        self._ends: dict[Partition, int] = {}
        self._failure: MillraceError | None = None
        self._paused = False
        self._pauses = 0
        self._rebalances: dict[Rebalance, int] = dict.fromkeys(REBALANCES, 0)
        self._closing = False
        self._settings = settings
        self._complaints = Complaints(settings)
        self._was_reached = False
        with mapped_errors("settings"):
            self._consumer = Consumer(
                ingest_config(settings, worker) | {"error_cb": self._on_error},
                # The worker says itself, once, what librdkafka would print at every try.
                logger=logging.getLogger("millrace.kafka"),
            )
        self._reach = Ends(self._consumer)

    def missing_topics(self, timeout: float = 2.0) -> list[str]:
        """Return the topics that do not exist, waiting up to `timeout` seconds for the answer.

        Raises:
            RetryLater: the broker cannot be reached.
            Permanent: the broker refuses us.
        """
        with mapped_errors("reading the topics"):
            if self._was_reached:
                known = self._consumer.list_topics(timeout=timeout).topics
            else:
                known = reach(self._consumer, self._complaints, timeout, "reading the topics").topics
        self._was_reached = True
        self._complaints = Complaints(self._settings)
        return missing_topics(self._topics, known)

    def subscribe(self) -> None:
        """Join the group; partitions arrive during `poll`."""
        with mapped_errors("subscribing"):
            self._consumer.subscribe(
                self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def poll(self, most: int, timeout: float) -> list[Message]:
        """Return up to `most` messages, waiting up to `timeout` seconds to get that many.

        Raises:
            Permanent: the broker refuses us, or a partition cannot be resumed.
        """
        with mapped_errors("reading"):
            received: list[Any] = self._consumer.consume(most, timeout)
        if self._failure is not None:
            raise self._failure
        messages = [message for message in received if message.error() is None]
        if messages and self.trouble is not None:
            self.trouble = None
            self._complaints = Complaints(self._settings)
        for message in received if len(messages) != len(received) else ():
            if message.error() is not None:
                self._on_event(message)
        return messages

    def place(self) -> None:
        """Find the start of the partitions that have none yet.

        Raises:
            RetryLater: ClickHouse or the broker does not answer; they stay unplaced.
            Permanent: a partition cannot be resumed.
        """
        if not self.unplaced:
            return
        starts = self._starts(self.unplaced)
        with mapped_errors("assigning partitions"):
            self._consumer.incremental_unassign([TopicPartition(*partition) for partition in starts])
            self._begin(starts)

    def replace_all(self) -> None:
        """Forget the positions: what was read is dropped and read again from ClickHouse's mark, newly claimed."""
        self._epochs.release(self.positions)
        self.unplaced |= set(self.positions)
        self.positions.clear()
        self._ends.clear()

    def pause(self) -> None:
        """Stop fetching and stay in the group."""
        if not self._paused:
            self._paused = True
            self._pauses += 1
            self._consumer.pause(self._placed_partitions())

    def resume(self) -> None:
        """Go on fetching."""
        if self._paused:
            self._paused = False
            self._consumer.resume(self._placed_partitions())

    def commit(self, spans: Mapping[Partition, Span]) -> None:
        """Tell Kafka how far we are. Only lag tools read it, so a failure changes nothing."""
        done = [TopicPartition(*partition, span.last + 1) for partition, span in spans.items()]
        try:
            self._consumer.commit(offsets=done, asynchronous=True)
        except KafkaException as error:
            log.debug("commit to Kafka: %s", error)

    def standing(self) -> Standing:
        """Return how the partitions stand; the lag is as of the last fetch, or while paused of the last question."""
        if self._paused:
            # Nothing is fetched now, so no fetch tells how the topic grows.
            self._reach.ask(self.positions.keys())
        return Standing(
            joined=self.was_assigned,
            readings={place: self._reading(place, position) for place, position in self.positions.items()},
            unplaced=len(self.unplaced),
            paused=self._paused,
            pauses=self._pauses,
            rebalances=dict(self._rebalances),
        )

    def _reading(self, place: Partition, position: Position) -> Reading:
        end = self._reach.of(place)
        return Reading(position.next_offset, None if end is None else max(0, end - position.next_offset))

    def is_caught_up(self) -> bool:
        """Tell whether every partition of ours has been read to its end."""
        return (
            self.was_assigned
            and not self.unplaced
            # A message read after the end was reported moves the position beyond that end.
            and all(position.next_offset <= self._ends.get(place, -1) for place, position in self.positions.items())
        )

    def check_broker(self) -> None:
        """Clear `trouble` when the broker answers and has the topics again."""
        try:
            missing = self.missing_topics(_CHECK_SECONDS)
        except RetryLater as error:
            self.trouble = str(self._complaints.refusal or error)
        else:
            self.trouble = absent(missing) if missing else None

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting for a time-out."""
        self._closing = True
        self._consumer.close()

    def _on_assign(self, _: Consumer, assigned: list[TopicPartition]) -> None:
        self.was_assigned = True
        self._rebalances["assigned"] += 1
        partitions = {Partition(entry.topic, entry.partition) for entry in assigned}
        try:
            starts = self._starts(partitions)
        except RetryLater as error:
            log.warning("%d partitions assigned, their start is not known yet: %s", len(partitions), error)
            self._hold(partitions)
        except MillraceError as error:
            # An exception must not cross librdkafka's callback; poll raises it.
            self._failure = error
            self._hold(partitions)
        else:
            self._begin(starts)

    def _hold(self, partitions: set[Partition]) -> None:
        entries = [TopicPartition(*partition, OFFSET_BEGINNING) for partition in partitions]
        self._consumer.incremental_assign(entries)
        self._consumer.pause(entries)
        self.unplaced |= partitions

    def _on_revoke(self, _: Consumer, revoked: list[TopicPartition]) -> None:
        self._rebalances["revoked"] += 1
        self._give_up(revoked, still_ours=True)

    def _on_lost(self, _: Consumer, lost: list[TopicPartition]) -> None:
        self._rebalances["lost"] += 1
        log.warning("%d partitions lost: the group went on without this worker", len(lost))
        self._give_up(lost, still_ours=False)

    def _give_up(self, entries: list[TopicPartition], *, still_ours: bool) -> None:
        if not self._closing:
            self._owner.settle(still_ours)
        for entry in entries:
            partition = Partition(entry.topic, entry.partition)
            self.positions.pop(partition, None)
            self.unplaced.discard(partition)
            self._ends.pop(partition, None)
            self._epochs.release([partition])
        self._consumer.incremental_unassign(entries)

    def _starts(self, partitions: Iterable[Partition]) -> dict[Partition, Position]:
        epochs = self._epochs.take(partitions)
        return {
            partition: Position(self._start(partition, resume), resume.letters, epochs[partition])
            for partition, resume in self._ledger.resume(partitions).items()
        }

    def _start(self, partition: Partition, resume: Resume) -> int:
        watermarks = self._watermarks(partition)
        start = start_offset(partition, resume, watermarks)
        if resume.next_offset is None and self._settings.kafka_start == "latest":
            return remembered_start(self._consumer, partition, watermarks)
        return start

    def _watermarks(self, partition: Partition) -> tuple[int, int]:
        with mapped_errors(f"reading the offsets of {partition}"):
            marks = self._consumer.get_watermark_offsets(TopicPartition(*partition), _METADATA_SECONDS)
        if marks is None:
            raise RetryLater(f"Kafka: the offsets of {partition} did not come in time")
        return marks

    def _begin(self, starts: dict[Partition, Position]) -> None:
        entries = with_offsets(starts)
        self._consumer.incremental_assign(entries)
        # A partition that left while it was paused comes back paused: librdkafka keeps that over assignments.
        (self._consumer.pause if self._paused else self._consumer.resume)(entries)
        self.positions |= starts
        self.unplaced -= set(starts)
        for partition, position in starts.items():
            log.info("%s: reading from offset %d", partition, position.next_offset)

    def _placed_partitions(self) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in self.positions]

    def _on_event(self, message: Any) -> None:
        error: KafkaError = message.error()
        partition = Partition(message.topic(), message.partition())
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            self._ends[partition] = message.offset()
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            log.warning("%s: the broker does not have the next offset: %s", partition, error.str())
            if self.positions.pop(partition, None) is not None:
                self.unplaced.add(partition)
        elif error.code() in _GONE:
            self.trouble = f"topic {message.topic()} does not exist"
        else:
            self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        # At the first contact `reach` raises a refusal; a broker that let us in before may just be restarting.
        self._complaints(error)
        found = mapped(error, "reading")
        if isinstance(found, Permanent):
            self._failure = found
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self.trouble = str(self._complaints.refusal or "the broker cannot be reached")
