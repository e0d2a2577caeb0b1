"""`millrace produce`: the simulated shop, onto Kafka."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.output import progress_bar
from contracts.clock import SystemClock
from contracts.settings import load_settings
from streaming.produce.options import FaultOptions, SimulatorOptions, SpikeOptions
from streaming.produce.record import Summary
from streaming.produce.simulate import Surroundings, simulate


@contextmanager
def surroundings(task: str, total: float | None) -> Iterator[Surroundings]:
    """Yield the real clock, a progress bar on a terminal, and a stop at SIGINT or SIGTERM.

    Args:
        task: the bar's title.
        total: events expected; None when nobody knows.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, _: object) -> None:
        stop.set()
        # A second request is meant: it ends the process without waiting for Kafka's answers.
        signal.signal(number, signal.SIG_DFL)

    before = {each: signal.signal(each, ask_to_stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with progress_bar(task, total) as move:

            def progress(summary: Summary) -> None:
                move(f"{task} {summary.phase}", summary.delivered, int(total or 0))

            yield Surroundings(SystemClock(), progress, lambda text: print(text, flush=True), stop.is_set)  # noqa: T201 - the command's output
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def produce(
    rate: Annotated[float, typer.Option(help="Live events per second")] = 500.0,
    interval: Annotated[float, typer.Option(help="Seconds between two sends when live")] = 0.1,
    batch_size: Annotated[int, typer.Option(help="Events handed to Kafka at a time at most")] = 20_000,
    speed_up: Annotated[float, typer.Option(help="How many times faster simulated time runs")] = 1.0,
    users: Annotated[int, typer.Option(help="Users of the shop")] = 20_000,
    items: Annotated[int, typer.Option(help="Items in the catalogue")] = 1_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events")] = 1,
    count: Annotated[int | None, typer.Option(help="Stop after so many live events")] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds of live")] = None,
    history_days: Annotated[float, typer.Option(help="Days of history to load first")] = 0.0,
    history_events: Annotated[int, typer.Option(help="Events of history to load first")] = 0,
    spike_after: Annotated[float | None, typer.Option(help="Plant a sales spike, seconds after live begins")] = None,
    spike_duration: Annotated[float, typer.Option(help="Seconds the spike lasts")] = 60.0,
    spike_rate: Annotated[float, typer.Option(help="Extra purchases per second in the spike")] = 5.0,
    late: Annotated[float, typer.Option(help="Share of events with an event time in the past")] = 0.0,
    late_hours: Annotated[float, typer.Option(help="How late those are, in hours")] = 3.0,
    duplicate: Annotated[float, typer.Option(help="Share of events sent twice")] = 0.0,
    malformed: Annotated[float, typer.Option(help="Share of events that nobody can read")] = 0.0,
    skew: Annotated[float, typer.Option(help="Share of users with a wrong clock")] = 0.0,
    skew_minutes: Annotated[float, typer.Option(help="How far ahead it is, in minutes")] = 5.0,
    truth: Annotated[Path | None, typer.Option(help="Write the planted faults' ground truth here (JSON)")] = None,
    record: Annotated[
        Path | None, typer.Option(help="Folder of the producer's record; default MILLRACE_HOME/record")
    ] = None,
) -> None:
    """Simulate a shop: load a history as fast as it goes, then produce events live."""
    settings = load_settings()
    options = SimulatorOptions(
        seed=seed, users=users, items=items,
        history_days=history_days, history_events=history_events,
        rate=rate, interval=interval, batch_size=batch_size, speed_up=speed_up,
        count=count, duration=duration,
        faults=FaultOptions(late, late_hours, duplicate, malformed, skew, skew_minutes),
        spike=SpikeOptions(spike_after, spike_duration, spike_rate),
    ).checked()  # fmt: skip
    live = options.live_seconds()
    total = None if live is None else options.history_events + live * options.rate
    with surroundings("produce", total) as around:
        summary = simulate(settings, options, record or settings.millrace_home / "record", truth, around)
    typer.echo(f"produced {summary.events_produced:,} delivered {summary.delivered:,} failed {summary.failed:,}")
    if summary.failed:
        raise typer.Exit(1)
