"""The simulated shop on the wire: history as fast as it goes, then live, with the truth written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contracts.clock import Clock
from contracts.settings import Settings
from streaming.produce import experiments
from streaming.produce.encode import Encoder
from streaming.produce.faults import FaultyEncoder
from streaming.produce.options import SimulatorOptions
from streaming.produce.pacing import MemoryPacer
from streaming.produce.producer import EventProducer
from streaming.produce.record import Summary, write_json
from streaming.produce.simulator import LiveStream, Shop, Timed, history, make_shop
from streaming.produce.spike import Spike

# After a stall the backlog is stamped at most this long ago: live means now.
_FRESH_SECONDS: Final = 0.4
# Live begins when less than this much of the rate is still owed from the time history took to load.
_CAUGHT_UP_SECONDS: Final = 0.2
_LONGEST_SLEEP: Final = 0.2
# Sessions under way are memory. Above this rate journeys go faster than people do, instead of there
# being millions of them at once.
_FULL_LENGTH_RATE: Final = 2_000.0


@dataclass(frozen=True)
class Surroundings:
    """What a run needs from outside: time, somebody to tell, and when to stop.

    Args:
        clock: the time.
        progress: told the running summary after each batch.
        say: told in one sentence what a person should know.
        stopped: True once the run has been asked to stop.
    """

    clock: Clock
    progress: Callable[[Summary], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None
    stopped: Callable[[], bool] = lambda: False


def open_producer(settings: Settings, folder: Path, around: Surroundings) -> EventProducer:
    """Return a producer for `settings`' topic, paced when the broker is the built-in one."""
    pacer = None
    if settings.kafka == "memory":
        pacer = MemoryPacer(settings, around.clock, around.say, around.stopped)
    return EventProducer(settings, folder, around.clock, pacer, around.say)


def simulate(
    settings: Settings, options: SimulatorOptions, folder: Path, truth: Path | None, around: Surroundings
) -> Summary:
    """Produce what `options` ask for, until it is done or stopped, and return the final summary.

    Args:
        settings: the broker and the topic.
        options: what to simulate; checked here.
        folder: where the record and `produced.json` go.
        truth: where the planted faults' ground truth is written, at the start and again at the end.
        around: time, listeners and the request to stop.

    Raises:
        UserError: an option is out of range.
        RetryLater, Permanent: Kafka, as named.
    """
    options = options.checked()
    run = _Run(settings, options, folder, truth, around)
    try:
        run.load_history()
        run.go_live()
    finally:
        run.close()
    return run.summary


class _Run:
    """One run of the simulator: its parts, and where it stands."""

    def __init__(
        self,
        settings: Settings,
        options: SimulatorOptions,
        folder: Path,
        truth: Path | None,
        around: Surroundings,
    ) -> None:
        self._options, self._truth, self._around = options, truth, around
        self._shop: Shop = make_shop(options.seed, options.users, options.items)
        self._plain = Encoder(self._shop)
        self._faulty = FaultyEncoder(self._plain, options.faults, options.seed, options.users)
        self._spike = Spike(self._shop, options.spike)
        self._producer = open_producer(settings, folder, around)
        self.summary = self._producer.summary
        self._wall_start = around.clock.monotonic()
        # Simulated time starts so far back that it reaches the present when the run ends.
        ahead = (options.speed_up - 1) * (options.live_seconds() or 0.0)
        self._start = around.clock.now() - timedelta(seconds=ahead)
        self._live_start: datetime | None = None

    def load_history(self) -> None:
        """Send the history, which ends where simulated time starts."""
        options = self._options
        self._write_truth()
        if options.history_events == 0:
            return
        begin = self._start - timedelta(days=options.history_days)
        for timed in history(self._shop, begin, self._start, options.history_events):
            for first in range(0, len(timed.events), options.batch_size):
                part = slice(first, first + options.batch_size)
                self._send(Timed(timed.events[part], timed.times[part]))
                if self._around.stopped():
                    return
        self._producer.flush()

    def go_live(self) -> None:
        """Send events at the rate, stamped with the simulated present, until done or stopped."""
        options, clock, stopped = self._options, self._around.clock, self._around.stopped
        if options.live_seconds() == 0 or stopped():
            return
        stream = LiveStream(self._shop, min(options.rate / options.speed_up, _FULL_LENGTH_RATE))
        sent = self._catch_up(stream)
        began, base = clock.monotonic(), sent
        offset = sent / options.rate
        self._begin_live(offset)
        last = options.live_seconds()
        while not stopped():
            elapsed = clock.monotonic() - began
            ending = last is not None and elapsed >= last
            elapsed = min(elapsed, last) if last is not None else elapsed
            due = base + int(options.rate * elapsed)
            while sent < due and not stopped():
                count = min(due - sent, options.batch_size)
                ranks = (sent + np.arange(count)) / options.rate
                self._send(
                    Timed(stream.take(count), self._stamps(np.maximum(ranks, offset + elapsed - _FRESH_SECONDS)))
                )
                sent += count
            self._send_spike(elapsed, offset)
            self._producer.tick()
            self._around.progress(self.summary)
            if ending:
                return
            self._sleep_until(began + elapsed + options.interval)

    def close(self) -> None:
        """Flush, and write the truth with what really happened."""
        try:
            self._producer.close()
        finally:
            self._write_truth()
            self._around.progress(self.summary)

    def _catch_up(self, stream: LiveStream) -> int:
        """Send what came due while history was loading, so that there is no gap before live."""
        options, clock, sent = self._options, self._around.clock, 0
        if options.history_events == 0 or options.speed_up > 1:
            return 0
        while not self._around.stopped():
            owed = int(options.rate * (clock.monotonic() - self._wall_start)) - sent
            if owed <= options.rate * _CAUGHT_UP_SECONDS:
                break
            count = min(owed, options.batch_size)
            self._send(Timed(stream.take(count), self._stamps((sent + np.arange(count)) / options.rate)))
            sent += count
        return sent

    def _begin_live(self, offset: float) -> None:
        self.summary.phase = "live"
        self._live_start = self._start + timedelta(seconds=offset * self._options.speed_up)
        self.summary.live_started_at = self._live_start.isoformat()
        self._producer.write_summary()
        if self._options.history_events:
            self._around.say(f"history done: {self.summary.events_produced:,} events; live from now on")
        self._write_truth()

    def _stamps(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return event times in milliseconds for wall-clock seconds since the start."""
        origin = self._start.timestamp()
        return ((origin + seconds * self._options.speed_up) * 1000).astype(np.int64)

    def _send(self, timed: Timed) -> None:
        self._producer.send(self._faulty.encode(timed))
        self._around.progress(self.summary)

    def _send_spike(self, elapsed: float, offset: float) -> None:
        events = self._spike.until(elapsed)
        if len(events):
            # Without faults, so that the ground truth counts exactly what was sent.
            times = self._stamps(np.full(len(events), offset + elapsed))
            self._producer.send(self._plain.encode(Timed(events, times)))

    def _sleep_until(self, moment: float) -> None:
        clock = self._around.clock
        while (left := moment - clock.monotonic()) > 0 and not self._around.stopped():
            clock.sleep(min(left, _LONGEST_SLEEP))

    def _write_truth(self) -> None:
        if self._truth is None:
            return
        content = {
            "seed": self._options.seed,
            "options": asdict(self._options),
            "experiments": experiments.ground_truth(),
            "live_started_at": self.summary.live_started_at,
            "spike": self._spike.ground_truth(self._live_start) if self._live_start else None,
            "faults_delivered": self.summary.by_fault,
        }
        write_json(self._truth, content)
