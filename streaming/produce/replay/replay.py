"""A log on the wire again: at its own pace, faster, or as fast as it goes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from contracts.clock import Clock
from contracts.errors import UserError
from contracts.settings import Settings
from streaming.produce.producer import EventProducer
from streaming.produce.replay.convert import Converted, convert, messages
from streaming.produce.replay.mapping import load_mapping
from streaming.produce.replay.read import read_rows
from streaming.produce.simulate import Surroundings, open_producer

_BATCH: Final = 10_000
_TICK: Final = 0.1
_EXAMPLES: Final = 5
_HIGHEST_RATE: Final = 100_000
_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?)x?")


@dataclass(frozen=True)
class ReplayOptions:
    """What to replay.

    Args:
        file: the log.
        format: a known format's name, or the path of a mapping.
        speed: log seconds per second, as `60x`; `max` is as fast as it goes.
        shift_to_now: move the log's time so that its last event carries the time it is sent at.
        restamp: events per second; each is sent in the log's order and carries the moment it is sent at,
            as if it happened now. Takes the place of `speed`.
    """

    file: Path
    format: str
    speed: str = "max"
    shift_to_now: bool = False
    restamp: float | None = None

    @property
    def factor(self) -> float | None:
        """Log seconds per second; None is "as fast as it goes".

        Raises:
            UserError: `speed` or `restamp` is out of range.
        """
        if self.restamp is not None:
            if not 0 < self.restamp <= _HIGHEST_RATE:
                raise UserError(f"--restamp {self.restamp}: must be above 0 and at most {_HIGHEST_RATE:,} events/s")
            return 1.0
        if self.speed == "max":
            return None
        found = _SPEED.fullmatch(self.speed)
        if found is None or float(found[1]) <= 0:
            raise UserError(f"--speed {self.speed}: must be `max` or a number above 0 with an x, as in 60x")
        return float(found[1])


class Refused(msgspec.Struct, frozen=True):
    """Rows refused for one reason: how many, and the first lines they stand on."""

    rows: int
    first_lines: tuple[int, ...]


class Report(msgspec.Struct, frozen=True):
    """What became of the file: rows_read = events_produced + rows_refused + rows_not_sent.

    Args:
        rows_not_sent: good rows that a stop came before.
        delivered, failed: of the events, confirmed by Kafka, and given up.
        first_event_at, last_event_at: event times as sent, ISO 8601.
    """

    file: str
    format: str
    rows_read: int
    events_produced: int
    rows_refused: int
    rows_not_sent: int
    delivered: int
    failed: int
    refused: dict[str, Refused]
    first_event_at: str | None = None
    last_event_at: str | None = None


def replay(settings: Settings, options: ReplayOptions, folder: Path, around: Surroundings) -> Report:
    """Produce a log's events and report what became of each row.

    The whole file is read first: events are sent in the order of their time, which is not always the
    file's.

    Args:
        settings: the broker and the topic.
        options: which file, how it is written, how fast.
        folder: where the record and `produced.json` go.
        around: time, listeners and the request to stop.

    Raises:
        UserError: an option, the file or the mapping is at fault.
        RetryLater, Permanent: Kafka, as named.
    """
    factor, mapping = options.factor, load_mapping(options.format)
    rows = read_rows(options.file, mapping)
    converted = convert(rows, mapping, options.file.name)
    producer = open_producer(settings, folder, around)
    producer.summary.phase = "replay"
    events = converted.events
    if options.restamp is not None:
        events = _restamped(events, options.restamp, around.clock)
    elif options.shift_to_now:
        events = _shifted(events, factor, around.clock)
    try:
        _send(events, factor, producer, around)
    finally:
        producer.close()
        around.progress(producer.summary)
    return _report(options, rows.read, converted, events, producer)


def _shifted(events: pl.DataFrame, factor: float | None, clock: Clock) -> pl.DataFrame:
    """Move all times so that the last event's is the moment it will be sent at."""
    if events.height == 0:
        return events
    times = events["event_time"].dt.epoch("us")
    span = (times[-1] - times[0]) / 1e6
    end = clock.now() + timedelta(seconds=0 if factor is None else span / factor)
    offset = round(end.timestamp() * 1e6) - times[-1]
    return events.with_columns(pl.col("event_time") + pl.lit(timedelta(microseconds=int(offset))))


def _restamped(events: pl.DataFrame, rate: float, clock: Clock) -> pl.DataFrame:
    """Give each event the moment it will be sent at when `rate` events a second are."""
    steps = (pl.int_range(pl.len()) * (1e6 / rate)).round().cast(pl.Int64)
    moments = pl.lit(clock.now()) + pl.duration(microseconds=steps)
    return events.with_columns(event_time=moments.cast(events.schema["event_time"]))


def _send(events: pl.DataFrame, factor: float | None, producer: EventProducer, around: Surroundings) -> None:
    if factor is None:
        for start in range(0, events.height, _BATCH):
            if around.stopped():
                return
            producer.send(messages(events[start : start + _BATCH]))
            around.progress(producer.summary)
        return
    times = events["event_time"].dt.epoch("us")
    began, sent = around.clock.monotonic(), 0
    while sent < events.height and not around.stopped():
        reached = times[0] + round((around.clock.monotonic() - began) * factor * 1e6)
        due = int(times.search_sorted(reached, side="right"))
        for start in range(sent, due, _BATCH):
            producer.send(messages(events[start : min(start + _BATCH, due)]))
        sent = max(sent, due)
        producer.tick()
        around.progress(producer.summary)
        around.clock.sleep(_TICK)


def _report(
    options: ReplayOptions, read: int, converted: Converted, events: pl.DataFrame, producer: EventProducer
) -> Report:
    refused = {
        reason: Refused(len(lines), tuple(sorted(lines)[:_EXAMPLES]))
        for reason, lines in sorted(converted.refused.items())
    }
    summary = producer.summary
    ends = (
        [events["event_time"][0].isoformat(), events["event_time"][-1].isoformat()] if events.height else [None, None]
    )
    return Report(
        file=options.file.name,
        format=options.format,
        rows_read=read,
        events_produced=summary.events_produced,
        rows_refused=sum(each.rows for each in refused.values()),
        rows_not_sent=events.height - summary.events_produced,
        delivered=summary.delivered,
        failed=summary.failed,
        refused=refused,
        first_event_at=ends[0],
        last_event_at=ends[1],
    )
