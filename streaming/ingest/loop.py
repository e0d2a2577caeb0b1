"""The worker's loop: poll, decode, batch, write, commit.

One batch fills while the one before it is written in the background; a third never exists, which bounds
memory. While ClickHouse is away the full batch waits: its partitions are paused and polling goes on, so that
the worker stays in the group. Writes are strictly one after the other, so each partition's offsets become
visible in order.
"""

from __future__ import annotations

import logging
import random
from typing import Final, Protocol

from contracts.clock import Clock
from contracts.errors import Fenced, Permanent, RetryLater
from streaming.ingest.batch import Batch
from streaming.ingest.chunks import decode_chunk
from streaming.ingest.flight import Backoff, Flight
from streaming.ingest.health import Health
from streaming.ingest.rules import Rules
from streaming.ingest.source import Source
from streaming.ingest.standing import InHand
from streaming.ingest.writer import Writes

# Large enough that a poll's fixed costs vanish, small enough that its events fit in the processor's cache.
_CHUNK_ROWS: Final = 4_000
_POLL_SECONDS: Final = 0.1
# A write this slow is more than a busy moment: pause, and poll again so that rebalances go on.
_PATIENCE_SECONDS: Final = 2.0
# How long leaving (SIGTERM, a rebalance) may take when ClickHouse answers.
_LEAVE_SECONDS: Final = 4.0
_BROKER_CHECK_SECONDS: Final = 2.0
# A worker that was refused first hears from the group what is still its own: one heartbeat.
_REFUSED_SECONDS: Final = 3.0

log = logging.getLogger("millrace.ingest")


class StopSignal(Protocol):
    """What tells the loop to end; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Tell whether to end."""


class Loop:
    """Moves messages from a source to a writer until it is told to stop.

    Args:
        rules: what is an event, how many may be none, and when a batch closes.
        writer: makes a batch durable.
        health: told of progress and waits.
        clock: the time, for ages and waits.
    """

    def __init__(self, rules: Rules, writer: Writes, health: Health, clock: Clock) -> None:
        self.source: Source | None = None
        self._policy = rules.batch
        self._writer = writer
        self._health = health
        self._clock = clock
        self._decoder = rules.decoder
        self._limit = rules.limit
        self._backoff = Backoff(random.Random())  # noqa: S311 - jitter, no secret
        self._filling = Batch()
        self._writing: Batch | None = None
        self._flight: Flight | None = None
        self._flight_since = 0.0
        self._retry_at = 0.0
        self._place_at = 0.0
        self._check_at = 0.0
        self._write_now = False

    def run(self, source: Source, stop: StopSignal, *, until_caught_up: bool = False) -> None:
        """Work until `stop`, or until everything is read and written.

        Raises:
            Permanent: trying again cannot help; what is in hand is read again by the next worker.
        """
        self.source = source
        while not stop.is_set():
            self.step()
            self._write_now = until_caught_up and source.is_caught_up()
            if self._write_now and self._is_idle():
                break
        self._health.enter("stopping")
        if not self._drain(_LEAVE_SECONDS):
            log.warning("left with events in hand; they are read again from Kafka")

    def step(self) -> None:
        """Do one round: settle a write, place partitions, read a chunk, hand over a batch that is due."""
        assert self.source is not None  # noqa: S101 - run sets it
        self._collect()
        self._place()
        if self._filling.is_full(self._policy) and not self._wait_for_room():
            self.source.pause()
            self._read(1, _POLL_SECONDS)
        else:
            self.source.resume()
            self._read(self._room(), self._poll_seconds())
        self._hand_over()
        self._report()

    def settle(self, still_ours: bool) -> None:
        """Before partitions go: write what is in hand, or drop it all and resume from ClickHouse's mark.

        A write that is under way is left to itself: its epoch is given up, so it lands before the mark is read,
        or never.
        """
        if still_ours and self._drain(_LEAVE_SECONDS):
            return
        self._filling, self._writing, self._flight = Batch(), None, None
        if self.source is not None:
            self.source.replace_all()

    def in_hand(self) -> InHand:
        """Return what is read and not durable yet."""
        batches = [batch for batch in (self._filling, self._writing) if batch is not None]
        return InHand(sum(batch.rows for batch in batches), sum(batch.bytes for batch in batches))

    def _collect(self) -> None:
        """Look whether the running write has ended, and start it again when its wait is over."""
        if self._flight is not None and self._flight.is_done():
            error, self._flight = self._flight.error, None
            assert self._writing is not None  # noqa: S101 - a flight is dropped together with its batch
            batch = self._writing
            if isinstance(error, RetryLater):
                self._retry_at = self._clock.monotonic() + self._backoff.next(error)
                self._health.wait_for("ClickHouse", str(error))
            elif isinstance(error, Fenced):
                self._give_way(error)
            elif error is not None:
                raise error
            else:
                self._done(batch)
        if self._flight is None and self._writing is not None and self._clock.monotonic() >= self._retry_at:
            self._launch(self._writing)

    def _done(self, batch: Batch) -> None:
        assert self.source is not None  # noqa: S101 - run sets it
        self._writing = None
        self._backoff.reset()
        self._retry_at = 0.0
        self._health.found("ClickHouse")
        self._health.wrote(batch.event_rows, batch.letter_rows, batch.stamped_at)
        self.source.commit(batch.spans)

    def _give_way(self, error: Fenced) -> None:
        log.warning("%s; what is in hand is dropped, the newer owner has it", error)
        self._place_at = self._clock.monotonic() + _REFUSED_SECONDS
        self.settle(still_ours=False)

    def _launch(self, batch: Batch) -> None:
        self._writing = batch
        self._flight_since = self._clock.monotonic()
        self._flight = Flight(lambda: self._writer.write(batch))

    def _place(self) -> None:
        assert self.source is not None  # noqa: S101 - run sets it
        if not self.source.unplaced:
            self._health.found("partition offsets")
            return
        if self._clock.monotonic() < self._place_at:
            return
        try:
            self.source.place()
        except RetryLater as error:
            self._place_at = self._clock.monotonic() + self._backoff.next(error)
            self._health.wait_for("partition offsets", str(error))
        else:
            self._backoff.reset()

    def _read(self, most: int, timeout: float) -> None:
        assert self.source is not None  # noqa: S101 - run sets it
        messages = self.source.poll(most, timeout)
        if not messages:
            return
        chunk = decode_chunk(messages, self.source.positions, self._decoder)
        try:
            self._limit.check(chunk.refusals)
        except Permanent:
            # What came before it is written, so that there is something to look at.
            self._drain(_LEAVE_SECONDS)
            raise
        self._filling.add(chunk, self._clock.monotonic())

    def _room(self) -> int:
        return max(1, min(_CHUNK_ROWS, self._policy.rows - self._filling.rows))

    def _poll_seconds(self) -> float:
        if self._filling.is_empty():
            return _POLL_SECONDS
        left = self._filling.opened_at + self._policy.seconds - self._clock.monotonic()
        return min(_POLL_SECONDS, max(0.0, left))

    def _wait_for_room(self) -> bool:
        """Wait a little for the running write; return False when waiting longer would starve the group."""
        if self._writing is None:
            return True
        if self._flight is None or self._clock.monotonic() - self._flight_since > _PATIENCE_SECONDS:
            return False
        self._flight.is_done(_PATIENCE_SECONDS)
        self._collect()
        return self._writing is None

    def _hand_over(self) -> None:
        if self._writing is not None or self._filling.is_empty():
            return
        if self._write_now or self._filling.is_due(self._policy, self._clock.monotonic()):
            batch, self._filling = self._filling, Batch()
            self._launch(batch)

    def _is_idle(self) -> bool:
        return self._filling.is_empty() and self._writing is None

    def _drain(self, seconds: float) -> bool:
        """Write what is in hand now; return False when ClickHouse is away or `seconds` are over."""
        deadline = self._clock.monotonic() + seconds
        while not self._is_idle():
            if self._flight is None and self._writing is None:
                batch, self._filling = self._filling, Batch()
                self._launch(batch)
            elif self._flight is None or not self._flight.is_done(deadline - self._clock.monotonic()):
                return False
            else:
                self._collect()
        return True

    def _report(self) -> None:
        assert self.source is not None  # noqa: S101 - run sets it
        now = self._clock.monotonic()
        if self.source.trouble and now >= self._check_at:
            self._health.wait_for("Kafka", self.source.trouble)
            self.source.check_broker()
            self._check_at = self._clock.monotonic() + _BROKER_CHECK_SECONDS
        if not self.source.trouble:
            self._health.found("Kafka")
        if self._health.is_due():
            self._health.tick(self.source.standing(), self.in_hand())
