"""`millrace replay`: a real log, onto Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.produce import surroundings
from contracts.settings import load_settings
from streaming.produce.replay.replay import ReplayOptions, Report
from streaming.produce.replay.replay import replay as run_replay


def replay(
    file: Annotated[Path, typer.Argument(help="The log: CSV, Parquet, JSON lines or an access log, plain or gzip")],
    format: Annotated[str, typer.Option(help="A known format, or the path of a mapping (.yml)")],  # noqa: A002 - the option's name
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
) -> None:
    """Produce the events of a log; each row becomes an event or is refused by reason."""
    settings = load_settings()
    options = ReplayOptions(file, format, speed, shift_to_now, restamp)
    with surroundings("replay", None) as around:
        report = run_replay(settings, options, record or settings.millrace_home / "record", around)
    typer.echo(msgspec.json.encode(report).decode() if as_json else _text(report))
    if report.failed:
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
