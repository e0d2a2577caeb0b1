"""How a worker is: said in the log, in a small file that `millrace status` reads, and over HTTP by `endpoint`."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from contracts.clock import Clock
from streaming.ingest.meters import Meters
from streaming.ingest.standing import InHand, Standing

State = Literal["starting", "running", "waiting", "stopping"]
STATES: Final[tuple[State, ...]] = get_args(State)
# Longer than any turn that only waits for answers: finding partitions' starts is two queries of at most 60 s.
# Shorter than the five minutes without a poll after which the group goes on without the worker.
STUCK_SECONDS: Final = 180.0
_FILE_SECONDS: Final = 1.0
_LOG_SECONDS: Final = 10.0
_REPEAT_SECONDS: Final = 30.0

log = logging.getLogger("millrace.ingest")


@dataclass
class Counts:
    """What this process has made durable since it started.

    Args:
        rows, dead_letters, batches: written so far.
        lag: offsets between what is read and the partitions' ends, summed.
        partitions: how many this worker reads now.
        last_ingested_at: the stamp of the last batch.
    """

    rows: int = 0
    dead_letters: int = 0
    batches: int = 0
    lag: int = 0
    partitions: int = 0
    last_ingested_at: datetime | None = None


class Health:
    """Collects a worker's state and tells it. One thread changes it; any thread may read it.

    Args:
        path: the state file; replaced as a whole, so a reader never sees half of it.
        clock: for intervals and the time of the report.
        stuck_seconds: without a tick for this long the worker counts as stuck.
    """

    def __init__(self, path: Path, clock: Clock, stuck_seconds: float = STUCK_SECONDS) -> None:
        self.counts = Counts()
        self.meters = Meters()
        self.standing = Standing()
        self.in_hand = InHand()
        self.endpoint: str | None = None
        self._stuck_seconds = stuck_seconds
        self._ticked = clock.monotonic()
        self._path = path
        self._clock = clock
        self._phase: State = "starting"
        self._waits: dict[str, str] = {}
        self._said: dict[str, float] = {}
        self._file_due = self._log_due = clock.monotonic()
        self._logged = (0, clock.monotonic())
        path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def state(self) -> State:
        """The state as others see it: any open wait shows."""
        return "waiting" if self._waits and self._phase != "stopping" else self._phase

    @property
    def reason(self) -> str:
        """What it waits for, empty when it does not wait."""
        return "; ".join(f"waiting for {who}: {why}" for who, why in self._waits.items())

    @property
    def stuck_for(self) -> float | None:
        """Seconds without a turn of the loop when they are too many, else None. A wait makes turns."""
        still = self._clock.monotonic() - self._ticked
        return still if still > self._stuck_seconds else None

    @property
    def not_ready(self) -> str:
        """Why it does not move events now, empty when it does."""
        if self.state != "running":
            return self.reason or self.state
        if not self.standing.joined:
            return "the group has not answered yet"
        if self.standing.unplaced:
            return f"{self.standing.unplaced} partitions wait for their first offset"
        return ""

    @property
    def newest_event_age(self) -> float:
        """Seconds since the newest durable event happened; NaN before the first."""
        newest = self.meters.newest_event_us
        return math.nan if newest is None else self._clock.now().timestamp() - newest / 1e6

    def enter(self, phase: State) -> None:
        """Change the phase and write the file."""
        self._phase = phase
        self._write()

    def wait_for(self, who: str, why: str) -> None:
        """Note that `who` is away; logged at once and then every 30 s."""
        now = self._clock.monotonic()
        is_new = who not in self._waits
        self.meters.failed(who, why)
        self._waits = self._waits | {who: why}
        if is_new or now - self._said[who] >= _REPEAT_SECONDS:
            self._said[who] = now
            log.warning("waiting for %s: %s", who, why, extra={"waiting_for": who, "reason": why})
            self._write()

    def found(self, who: str) -> None:
        """Note that `who` is back."""
        if who in self._waits:
            # Replaced, not changed: another thread may be reading it.
            self._waits = {other: why for other, why in self._waits.items() if other != who}
            log.info("%s is back", who, extra={"back": who})
            self._write()

    def wrote(self, rows: int, dead_letters: int, at: datetime | None) -> None:
        """Count a batch that is durable."""
        self.counts.rows += rows
        self.counts.dead_letters += dead_letters
        self.counts.batches += 1
        self.counts.last_ingested_at = at

    def is_due(self) -> bool:
        """Tell whether a second has passed since the last report."""
        return self._clock.monotonic() >= self._file_due

    def tick(self, standing: Standing, in_hand: InHand | None = None) -> None:
        """Take in how things stand, write the state file, and every 10 s a log line when anything moved."""
        self.standing, self.in_hand = standing, in_hand or InHand()
        self.counts.lag, self.counts.partitions = standing.lag, len(standing.readings)
        self._ticked = now = self._clock.monotonic()
        self._file_due = now + _FILE_SECONDS
        self._write()
        if now < self._log_due:
            return
        self._log_due = now + _LOG_SECONDS
        done, since = self.counts.rows + self.counts.dead_letters, self._logged
        if done != since[0]:
            rate = (done - since[0]) / max(now - since[1], 1e-9)
            log.info(
                "%d events, %d dead letters, %.0f/s, lag %d",
                self.counts.rows,
                self.counts.dead_letters,
                rate,
                standing.lag,
                extra=self._numbers() | {"events_per_s": round(rate)},
            )
        self._logged = (done, now)

    def report(self) -> dict[str, Any]:
        """Return state, reason and counts, ready for JSON."""
        last = self.counts.last_ingested_at
        return {
            "state": self.state,
            "reason": self.reason,
            **self._numbers(),
            "in_hand": self.in_hand.rows,
            "last_ingested_at": last.isoformat() if last else None,
            "endpoint": self.endpoint,
            "reported_at": self._clock.now().isoformat(),
        }

    def _numbers(self) -> dict[str, int]:
        names = ("rows", "dead_letters", "batches", "lag", "partitions")
        return {name: getattr(self.counts, name) for name in names}

    def _write(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.report()))
        temporary.replace(self._path)
