"""`millrace archive`: closed days as Parquet."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

import typer

from archive.check import check_day
from archive.days import DayState, list_days
from archive.drop import drop_old_days
from archive.place import Archive
from archive.tables import last_closed_day, parse_day
from archive.write import Archived, archive_day
from cli.output import AsJson, print_json, progress_bar
from contracts.clock import SystemClock
from contracts.settings import load_settings

app = typer.Typer(
    name="archive",
    help="Closed days of raw as Parquet: list, write, verify, and take old ones out of ClickHouse (docs/archive.md).",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_MEGABYTE: Final = 1_000_000
Day = Annotated[str, typer.Argument(metavar="DAY", help="The UTC day of landing, as in 2026-03-01.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show each closed day: rows in ClickHouse and in the archive, and how it stands."""
    with Archive.opened(load_settings(), SystemClock()) as archive:
        days = list_days(archive.client, last_closed_day(archive.clock.now()))
    if as_json:
        print_json(days)
    else:
        typer.echo(_table(days) if days else "no day is closed yet: nothing has landed before today")


@app.command()
def run(day: Day, as_json: AsJson = False) -> None:
    """Archive a day unless it is archived as it is; safe to repeat."""
    wanted = parse_day(day)
    with Archive.opened(load_settings(), SystemClock()) as archive, progress_bar("archive") as move:
        done = archive_day(replace(archive, progress=move), wanted)
    if as_json:
        print_json(done)
        return
    for each in done:
        typer.echo(_archived(each))


@app.command()
def verify(day: Day, as_json: AsJson = False) -> None:
    """Read a day's files back and compare them with their manifest and with ClickHouse; exit 1 if something differs."""
    wanted = parse_day(day)
    with Archive.opened(load_settings(), SystemClock()) as archive:
        proofs = check_day(archive, wanted)
    if as_json:
        print_json(proofs)
    for proof in [] if as_json else proofs:
        also = f", {proof.in_clickhouse:,} of them in ClickHouse and the same" if not proof.wrong else ""
        typer.echo(f"{proof.table} {wanted}: {proof.wrong or f'{proof.rows:,} rows verified'}{also}")
    if any(proof.wrong for proof in proofs):
        raise typer.Exit(1)


@app.command()
def drop(as_json: AsJson = False) -> None:
    """Take days out of ClickHouse that are older than RETENTION_DAYS, archived, verified now, and in the marts."""
    settings = load_settings()
    if not settings.retention_days:
        typer.echo("[]" if as_json else "RETENTION_DAYS is 0: days are kept for ever")
        return
    with Archive.opened(settings, SystemClock()) as archive:
        done = drop_old_days(archive, settings.retention_days)
    if as_json:
        print_json(done)
        return
    for each in done:
        typer.echo(f"{each.table} {each.day}: " + (f"kept: {each.held}" if each.held else f"{each.rows:,} rows left"))
    if not done:
        typer.echo(f"no archived day is older than {settings.retention_days} days")


def _archived(each: Archived) -> str:
    if not each.is_new:
        where = " and left ClickHouse" if each.is_dropped else ""
        return f"{each.table} {each.day}: {each.rows:,} rows are archived{where}; nothing to do"
    return (
        f"{each.table} {each.day}: {each.rows:,} rows archived and verified, {each.bytes / _MEGABYTE:,.1f} MB "
        f"(written in {each.written_seconds:.1f} s, verified in {each.verified_seconds:.1f} s)"
    )


def _table(days: list[DayState]) -> str:
    lines = [f"{'day':<10}  {'events':>13}  {'dead letters':>12}  {'archived rows':>13}  {'MB':>9}  state"]
    lines += [
        f"{each.day}  {each.events:>13,}  {each.letters:>12,}  {each.archived:>13,}  "
        f"{each.bytes / _MEGABYTE:>9,.1f}  {each.state}"
        for each in days
    ]
    return "\n".join(lines)
