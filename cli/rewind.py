"""`millrace rewind`: read Kafka again from an earlier place, and write what is missing."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from cli.output import AsJson, print_json, progress_bar
from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.settings import load_settings
from streaming.rewind.rewind import Found, RewindOptions
from streaming.rewind.rewind import rewind as read_again
from streaming.rewind.target import Target, moment_of


def rewind(
    to_time: Annotated[
        str | None, typer.Option(help="What reached Kafka since then: 2026-03-01T10:00:00Z, or how long ago as in 2h")
    ] = None,
    to_offset: Annotated[int | None, typer.Option(min=0, help="From this offset on, with --partition")] = None,
    topic: Annotated[str | None, typer.Option(help="One of the topics in KAFKA_TOPIC; default all")] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="One partition; default all")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what is missing and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read again up to where ClickHouse has come, and write only what is in neither raw table; safe to repeat."""
    settings, clock = load_settings(), SystemClock()
    moment = moment_of(to_time, clock.now()) if to_time is not None else None
    target = Target(moment, to_offset, topic, partition)
    target.check(settings)
    logging.getLogger("millrace.kafka").setLevel(logging.CRITICAL)
    with connect(settings, compress=False) as client, progress_bar("rewind") as move:
        found = read_again(settings, client, target, RewindOptions(clock, dry_run, progress=move))
    if as_json:
        print_json(map(_values, found))
        return
    for each in found:
        typer.echo(_line(each, dry_run=dry_run))
    _sum(found, dry_run=dry_run)


def _values(found: Found) -> dict[str, object]:
    stretch = found.stretch
    place = {"topic": stretch.partition.topic, "partition": stretch.partition.number}
    counts = {name: getattr(found, name) for name in ("read", "known", "events", "letters", "is_unknown")}
    return place | {"first": stretch.first, "end": stretch.end, "lost": stretch.lost} | counts


def _line(found: Found, *, dry_run: bool) -> str:
    stretch = found.stretch
    if found.is_unknown:
        return f"{stretch.partition}: ClickHouse holds no event of it; a worker that starts reads it by itself"
    lost = f"; {stretch.lost} older offsets are not in Kafka any more" if stretch.lost else ""
    if stretch.first >= stretch.end:
        return f"{stretch.partition}: nothing to read again below offset {stretch.end}{lost}"
    return f"{stretch.partition}: offsets {stretch.first} to {stretch.end - 1}: {_counts([found], dry_run)}{lost}"


def _sum(found: list[Found], *, dry_run: bool) -> None:
    typer.echo(f"all: {_counts(found, dry_run)}")
    if not dry_run and any(each.events for each in found):
        typer.echo("the next run of the marts folds the new events in (Dagster asks for it; by hand: dbt run)")


def _counts(found: list[Found], dry_run: bool) -> str:
    written = "would write" if dry_run else "written"
    read, known, events, letters = (
        sum(getattr(each, name) for each in found) for name in ("read", "known", "events", "letters")
    )
    return f"read {read:,}, already there {known:,}, {written} {events:,} events and {letters:,} dead letters"
