"""The producer's own record: one row for each message that Kafka confirmed, apart from ClickHouse.

A test can recompute every mart from it, and the demo counts `missing` and `duplicated` against it.
Parts are Parquet files that appear complete or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from contracts.clock import Clock
from contracts.errors import UserError

_PART_ROWS: Final = 200_000
_PART_SECONDS: Final = 5.0
SUMMARY: Final = "produced.json"


class Recorder:
    """Writes confirmed messages as Parquet parts into a folder.

    Args:
        folder: made when missing; parts of earlier runs stay.
        clock: for the parts' names and ages.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--record {folder}: cannot be made: {error.strerror}") from error
        self._folder, self._clock = folder, clock
        # The start in the name keeps the parts of two runs apart, and sorts them.
        self._run = f"{clock.now():%Y%m%dT%H%M%S%f}"
        self._frames: list[pl.DataFrame] = []
        self._rows = 0
        self._parts = 0
        self._oldest = clock.monotonic()

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows: `messages.RECORD_TYPES` plus topic, partition and offset."""
        if not self._frames:
            self._oldest = self._clock.monotonic()
        self._frames.append(frame)
        self._rows += frame.height
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Write a part when enough rows wait, or the oldest has waited for some seconds."""
        old = self._clock.monotonic() - self._oldest >= _PART_SECONDS
        if self._rows >= _PART_ROWS or (self._frames and old):
            self.flush()

    def flush(self) -> None:
        """Write what waits as one part."""
        if not self._frames:
            return
        final = self._folder / f"part-{self._run}-{self._parts:06d}.parquet"
        # A reader's *.parquet never sees the file while it grows.
        growing = final.with_suffix(".growing")
        pl.concat(self._frames).write_parquet(growing, compression="lz4")
        growing.replace(final)
        self._frames, self._rows = [], 0
        self._parts += 1


@dataclass
class Summary:
    """What a status line wants to know about a producer, cheaply. Times are ISO 8601 in UTC.

    Args:
        started_at: when this run began.
        phase: history, live, replay or done.
        events_produced: messages handed to Kafka, duplicates and malformed ones included.
        delivered, failed: of these, confirmed by Kafka, and given up.
        by_fault: delivered messages by planted fault.
        rate: messages delivered per second since the last figure.
        live_started_at: where history ends and live begins.
        last_event_at: the newest event time handed to Kafka.
        finished_at: when this run ended.
    """

    started_at: str
    phase: str = "history"
    events_produced: int = 0
    delivered: int = 0
    failed: int = 0
    by_fault: dict[str, int] = field(default_factory=dict)
    rate: float = 0.0
    live_started_at: str | None = None
    last_event_at: str | None = None
    finished_at: str | None = None
    errors: dict[str, int] = field(default_factory=dict)


def write_summary(folder: Path, summary: Summary) -> None:
    """Replace `produced.json` in one step, so that a reader never sees half of it."""
    write_json(folder / SUMMARY, msgspec.to_builtins(summary))


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    growing = path.with_name(path.name + ".growing")
    growing.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    growing.replace(path)
