"""`millrace dead-letters`: see what was refused, send it again, or mark it as dealt with."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer
from clickhouse_connect.driver.client import Client

from cli.output import AsJson
from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.errors import UserError
from contracts.settings import Settings, load_settings
from streaming.letters.actions import Actions
from streaming.letters.choice import Choice, choose
from streaming.letters.drop import drop_letters
from streaming.letters.filters import Filters, checked_reason, checked_state, parse_place, parse_since
from streaming.letters.render import (
    done_text,
    group_values,
    groups_text,
    letter_text,
    letter_values,
    letters_text,
    report_text,
)
from streaming.letters.replay import DELIVERY_SECONDS, Surroundings
from streaming.letters.replay import replay as run_replay
from streaming.letters.sender import Sender
from streaming.letters.store import Letters
from streaming.letters.topic import TopicReader

app = typer.Typer(
    name="dead-letters",
    help="See what could not be an event (raw.dead_letters), send it again, or mark it as dealt with.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_DEFAULT_ROWS = 50

Reason = Annotated[str | None, typer.Option(help="Only those refused for this reason.")]
Since = Annotated[str | None, typer.Option(help="Only those that landed since: 90s, 30m, 2h, 3d, 1w, or an ISO time.")]
Topic = Annotated[str | None, typer.Option(help="Only those of this topic.")]
Partition = Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Only those of this partition.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")]
Places = Annotated[list[str] | None, typer.Argument(metavar="TOPIC:PARTITION:OFFSET", help="Exactly these.")]
Everything = Annotated[bool, typer.Option("--all", help="Every open dead letter.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]


@app.command("list")
def list_(
    rows: Annotated[bool, typer.Option("--rows", help="Single dead letters, newest first, not groups.")] = False,
    reason: Reason = None,
    since: Since = None,
    topic: Topic = None,
    partition: Partition = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"At most so many lines; default {_DEFAULT_ROWS} with --rows.")
    ] = None,
    state: Annotated[str, typer.Option(help="open, replayed, dropped or all.")] = "open",
    as_json: AsJson = False,
) -> None:
    """Show dead letters by topic and reason, or one by one."""
    limit = limit or (_DEFAULT_ROWS if rows else None)
    filters = _filters(reason, since, topic, partition, limit, state)
    letters = Letters(_client(load_settings()))
    if rows:
        found = letters.newest(filters)
        values, text = [letter_values(letter) for letter in found], letters_text(found)
    else:
        groups = letters.groups(filters)
        values, text = [group_values(group) for group in groups], groups_text(groups)
    if as_json:
        typer.echo(json.dumps(values, indent=2))
    else:
        typer.echo(text if values else f"no {'' if state == 'all' else state + ' '}dead letters match")


@app.command()
def show(
    place: Annotated[str, typer.Argument(metavar="TOPIC:PARTITION:OFFSET", help="As in the list.")],
    payload: Annotated[bool, typer.Option("--payload", help="Write the raw bytes of the payload and no more.")] = False,
) -> None:
    """Show everything about one dead letter."""
    wanted = parse_place(place)
    client = _client(load_settings())
    letters = Letters(client)
    found = letters.read([wanted])
    if not found:
        raise UserError(f"no dead letter lies at {wanted}; `millrace dead-letters list --rows` shows places")
    letter = found[0]
    if payload:
        _write_raw(letter.payload or b"")
        return
    landed_as = letters.landed_as(letter.went_to) if letter.went_to else None
    typer.echo(letter_text(letter, Actions(client).history(wanted), landed_as))


@app.command()
def replay(
    places: Places = None,
    reason: Reason = None,
    since: Since = None,
    topic: Topic = None,
    partition: Partition = None,
    limit: Limit = None,
    everything: Everything = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Send open dead letters to their topic again: the same bytes, key and headers.

    Ingest then reads them like any message, as events or as dead letters again, at new offsets. The header
    millrace-replay-of says which letter each one is. Running it again is safe, also after it was killed: it first
    looks for what got through. A dropped letter is replayed when it is named by its place.
    """
    settings, clock = load_settings(), SystemClock()
    filters = _filters(reason, since, topic, partition, limit, "open", places)
    client = _client(settings)
    letters = Letters(client)
    choice = choose(letters, filters, ("open", "dropped"), everything=everything)
    if not _agreed(letters, choice, "replay", yes=yes, dry_run=dry_run):
        return
    reader, sender = TopicReader(settings, clock), Sender(settings, DELIVERY_SECONDS)
    actions = Actions(client)
    around = Surroundings(
        letters, actions, reader, sender, clock, lambda text: typer.echo(text, err=True), DELIVERY_SECONDS
    )
    report = run_replay(around, choice.selection)
    typer.echo(report_text(report))
    if report.failed or report.unknown:
        raise typer.Exit(1)


@app.command()
def drop(
    places: Places = None,
    reason: Reason = None,
    since: Since = None,
    topic: Topic = None,
    partition: Partition = None,
    limit: Limit = None,
    everything: Everything = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Mark open dead letters as dealt with, so that lists leave them out.

    Nothing is deleted: each offset of a topic must stay in exactly one raw table. `list --state dropped` shows them,
    and `replay` with its place sends one after all.
    """
    filters = _filters(reason, since, topic, partition, limit, "open", places)
    client = _client(load_settings())
    letters = Letters(client)
    choice = choose(letters, filters, ("open",), everything=everything)
    if _agreed(letters, choice, "drop", yes=yes, dry_run=dry_run):
        typer.echo(f"dropped {drop_letters(Actions(client), choice.selection):,} dead letters")


def _agreed(letters: Letters, choice: Choice, verb: str, *, yes: bool, dry_run: bool) -> bool:
    """Say what is going to be done and ask; return whether to do it."""
    for letter in choice.done:
        typer.echo(done_text(letter))
    count = len(choice.selection)
    if not count:
        if choice.done:
            return False
        typer.echo(f"millrace: nothing to {verb}: no open dead letters match", err=True)
        raise typer.Exit(1)
    if dry_run or not yes:
        typer.echo(letters_text(choice.newest(letters)))
    if dry_run:
        typer.echo(f"would {verb} {count:,} dead letters; nothing was done")
        return False
    if not yes and not sys.stdin.isatty():
        raise UserError(f"there is nobody to ask whether to {verb} {count:,} dead letters; add --yes")
    if not yes and not typer.confirm(f"{verb} {count:,} dead letters?"):
        typer.echo("nothing was done")
        raise typer.Exit(1)
    return True


def _filters(
    reason: str | None,
    since: str | None,
    topic: str | None,
    partition: int | None,
    limit: int | None,
    state: str,
    places: list[str] | None = None,
) -> Filters:
    moment = None if since is None else parse_since(since, SystemClock().now())
    wanted = tuple(dict.fromkeys(parse_place(place) for place in places or ()))
    return Filters(checked_reason(reason), moment, topic, partition, checked_state(state), limit, wanted)


def _write_raw(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader (`head`, for one) has what it wanted; closing stdout at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _client(settings: Settings) -> Callable[[], Client]:
    return cache(lambda: connect(settings))
