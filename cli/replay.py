"""`millrace replay`: a real log, or archived days, onto Kafka."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from archive.replay import ReplayOptions as DayOptions
from archive.replay import replay_day
from archive.store import Store
from archive.tables import parse_day
from cli.output import progress_bar
from cli.produce import surroundings
from contracts.errors import UserError
from contracts.settings import load_settings
from streaming.produce.replay.replay import ReplayOptions, Report
from streaming.produce.replay.replay import replay as run_replay


def replay(
    file: Annotated[
        Path | None, typer.Argument(help="The log: CSV, Parquet, JSON lines or an access log, plain or gzip")
    ] = None,
    format: Annotated[str | None, typer.Option(help="A known format, or the path of a mapping (.yml)")] = None,  # noqa: A002 - the option's name
    speed: Annotated[str, typer.Option(help="`max`, or log seconds per second as in 60x")] = "max",
    shift_to_now: Annotated[bool, typer.Option("--shift-to-now", help="Move its time so that it ends now")] = False,
    restamp: Annotated[
        float | None,
        typer.Option(help="Send so many events per second, each as if it happened now (instead of --speed)"),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Folder of the producer's record; default MILLRACE_HOME/record")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON")] = False,
    from_archive: Annotated[
        list[str] | None,
        typer.Option(metavar="DAY", help="Send what landed on this archived day, instead of a log; may be repeated"),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="With --from-archive: send it there; default the topic it came from")
    ] = None,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="With --from-archive: send dead letters, too")
    ] = False,
    original_time: Annotated[
        bool,
        typer.Option("--original-time", help="With --from-archive: keep Kafka's time stamps; its retention sees them"),
    ] = False,
) -> None:
    """Produce the events of a log, each row an event or refused by reason; or archived events once more.

    Archived events keep their event_id, so that staging drops those that are in raw already.
    """
    if from_archive:
        if file is not None or format is not None:
            raise UserError("replay a FILE with --format, or days with --from-archive, not both")
        _days(from_archive, DayOptions(topic, dead_letters, original_time))
        return
    if file is None or format is None:
        raise UserError("name a FILE and its --format, or an archived day with --from-archive DAY")
    if topic is not None or dead_letters or original_time:
        raise UserError("--topic, --dead-letters and --original-time go with --from-archive")
    settings = load_settings()
    options = ReplayOptions(file, format, speed, shift_to_now, restamp)
    with surroundings("replay", None) as around:
        report = run_replay(settings, options, record or settings.millrace_home / "record", around)
    typer.echo(msgspec.json.encode(report).decode() if as_json else _text(report))
    if report.failed:
        raise typer.Exit(1)


def _days(texts: list[str], options: DayOptions) -> None:
    settings, failed = load_settings(), 0
    days = [parse_day(text) for text in texts]
    store = Store.of(settings)
    for day in days:
        with progress_bar("replay") as move:
            report = replay_day(settings, store, day, dataclasses.replace(options, progress=move))
        typer.echo(f"{day}: {report.sent:,} messages sent")
        for reason, count in report.failed.items():
            failed += count
            typer.echo(f"{day}: {count:,} failed: {reason}")
    if failed:
        raise typer.Exit(1)


def _text(report: Report) -> str:
    sums = f"events produced {report.events_produced:,} + rows refused {report.rows_refused:,}"
    if report.rows_not_sent:
        sums += f" + not sent before the stop {report.rows_not_sent:,}"
    lines = [f"rows read {report.rows_read:,} = {sums}"]
    for reason, refused in report.refused.items():
        first = ", ".join(map(str, refused.first_lines))
        more = ", …" if refused.rows > len(refused.first_lines) else ""
        lines.append(f"  refused {refused.rows:,} {reason}: line {first}{more}")
    lines.append(f"delivered {report.delivered:,} failed {report.failed:,}")
    return "\n".join(lines)
