"""How a worker is: said in the log, and in a small file that `millrace status` reads."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from contracts.clock import Clock

State = Literal["starting", "running", "waiting", "stopping"]
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
    """Collects a worker's state and tells it.

    Args:
        path: the state file; replaced as a whole, so a reader never sees half of it.
        clock: for intervals and the time of the report.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.counts = Counts()
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

    def enter(self, phase: State) -> None:
        """Change the phase and write the file."""
        self._phase = phase
        self._write()

    def wait_for(self, who: str, why: str) -> None:
        """Note that `who` is away; logged at once and then every 30 s."""
        now = self._clock.monotonic()
        is_new = who not in self._waits
        self._waits[who] = why
        if is_new or now - self._said[who] >= _REPEAT_SECONDS:
            self._said[who] = now
            log.warning("waiting for %s: %s", who, why)
            self._write()

    def found(self, who: str) -> None:
        """Note that `who` is back."""
        if self._waits.pop(who, None) is not None:
            log.info("%s is back", who)
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

    def tick(self, lag: int, partitions: int) -> None:
        """Write the state file, and every 10 s a log line when anything moved."""
        self.counts.lag, self.counts.partitions = lag, partitions
        self._write()
        now = self._clock.monotonic()
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
                lag,
            )
        self._logged = (done, now)

    def _write(self) -> None:
        self._file_due = self._clock.monotonic() + _FILE_SECONDS
        last = self.counts.last_ingested_at
        report = {
            "state": self.state,
            "reason": self.reason,
            "rows": self.counts.rows,
            "dead_letters": self.counts.dead_letters,
            "batches": self.counts.batches,
            "lag": self.counts.lag,
            "partitions": self.counts.partitions,
            "last_ingested_at": last.isoformat() if last else None,
            "reported_at": self._clock.now().isoformat(),
        }
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(report))
        temporary.replace(self._path)
