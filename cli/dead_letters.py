"""`millrace dead-letters`: see what was refused, send it again, or mark it as dealt with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.errors import UserError
from contracts.settings import Settings, load_settings
from streaming.letters.actions import Actions
from streaming.letters.filters import Filters, checked_reason, checked_state, parse_place, parse_since
from streaming.letters.render import group_values, groups_text, letter_text, letter_values, letters_text
from streaming.letters.store import Letters

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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
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
        sys.stdout.buffer.write(letter.payload or b"")
        sys.stdout.buffer.flush()
        return
    landed_as = letters.landed_as(letter.went_to) if letter.went_to else None
    typer.echo(letter_text(letter, Actions(client).history(wanted), landed_as))


def _filters(
    reason: str | None, since: str | None, topic: str | None, partition: int | None, limit: int | None, state: str
) -> Filters:
    moment = None if since is None else parse_since(since, SystemClock().now())
    return Filters(checked_reason(reason), moment, topic, partition, checked_state(state), limit)


def _client(settings: Settings) -> Callable[[], Client]:
    return cache(lambda: connect(settings))
