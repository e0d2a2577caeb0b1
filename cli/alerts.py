"""`millrace alerts`: what is wrong now, saying that one looks after it, and trying rules and channels out."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from cli.output import AsJson
from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.errors import UserError
from contracts.settings import Settings, load_settings
from orchestration.alerts.listing import HEADER, as_values, cells, chosen, one_of
from orchestration.alerts.rules import load_rules
from orchestration.alerts.store import ClickHouseStore
from orchestration.alerts.trial import send_test
from streaming.letters.filters import parse_since
from streaming.letters.text import safe, table

app = typer.Typer(
    name="alerts",
    help="See incidents, acknowledge and resolve them, try channels and rules out (docs/alerts.md).",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Fingerprint = Annotated[str, typer.Argument(metavar="INCIDENT", help="Its name as in the list, or how that begins.")]
By = Annotated[str | None, typer.Option(help="Who does it; default: the user of this machine.")]
Note = Annotated[str, typer.Option(help="Is shown to those who follow the incident.")]


@app.command("list")
def list_(
    state: Annotated[
        str, typer.Option(help="open, acknowledged, resolved, lasting (the first two) or all.")
    ] = "lasting",
    last: Annotated[str, typer.Option(help="Resolved ones only of the last 90s, 30m, 2h, 3d or 1w.")] = "1d",
    as_json: AsJson = False,
) -> None:
    """Show incidents, the newest first."""
    now = SystemClock().now()
    since = parse_since(last, now, "--last")
    settings = load_settings()
    rules = load_rules(settings)
    found = chosen(_store(settings).recent(since), state)
    if as_json:
        typer.echo(json.dumps([as_values(one, rules) for one in found], indent=2))
    elif found:
        typer.echo(table(HEADER, [[safe(cell) for cell in cells(one, rules, now)] for one in found]))
    else:
        typer.echo("no incidents" if state == "all" else f"no {state} incidents")


@app.command()
def ack(incident: Fingerprint, by: By = None, note: Note = "") -> None:
    """Say that you look after an incident: nobody is called about it any more."""
    _act(incident, "ack", by, note)


@app.command()
def resolve(incident: Fingerprint, by: By = None, note: Note = "") -> None:
    """Say that an incident is over. A check that still fails opens it again with its next evaluation."""
    _act(incident, "resolve", by, note)


@app.command()
def note(incident: Fingerprint, text: Annotated[str, typer.Argument(help="What you know.")], by: By = None) -> None:
    """Add a note to an incident, for those who follow it."""
    _act(incident, "note", by, text)


@app.command("test")
def send(
    channel: Annotated[str | None, typer.Argument(help="Only this channel of the rules; default: all.")] = None,
) -> None:
    """Send a test message to the channels of the rules, at once; exit 1 when one of them does not take it."""
    settings = load_settings()
    sent = send_test(load_rules(settings), settings, channel, SystemClock().now())
    for one in sent:
        typer.echo(f"{one.channel}: {safe(one.said)}")
    if not all(one.worked for one in sent):
        raise typer.Exit(1)


@app.command()
def simulate(
    rule: Annotated[str, typer.Argument(help="A check that looks at hours, such as item_sales_within_expected.")],
    last: Annotated[str, typer.Option(help="How far back: 12h, 30d, 4w, or an ISO time.")] = "30d",
    as_json: AsJson = False,
) -> None:
    """Say how often a rule would have fired on the complete hours of history, and list the hits.

    The limits are those of the settings (ALERT_SALES_RATIO, ALERT_SALES_MIN, …): set others for this one command to
    try them out.
    """
    # The rules are Dagster's checks; Dagster takes seconds to load, and no other command needs it.
    from orchestration.alerts.simulate import as_text, rule_of, run  # noqa: PLC0415 - see above

    now = SystemClock().now()
    since, wanted = parse_since(last, now, "--last"), rule_of(rule)
    if now - since < timedelta(hours=1):
        raise UserError(f"--last {last}: there is no complete hour in it; write 2h or more")
    settings = load_settings()
    console = Console(stderr=True)

    def shown(hours: Sequence[datetime]) -> Iterable[datetime]:
        return track(hours, "hours", console=console, disable=not console.is_terminal)

    report = run(wanted, connect(settings), settings, (since, now), shown)
    typer.echo(json.dumps(report.as_dict(), indent=2) if as_json else safe(as_text(report), keep="\n"))


def _act(name: str, action: str, by: str | None, note: str) -> None:
    store = _store(load_settings())
    since = SystemClock().now() - timedelta(days=7)
    incident = one_of(store.recent(since), name)
    if incident.is_over:
        raise UserError(f"incident {incident.fingerprint} is over since {incident.resolved_at:%Y-%m-%d %H:%M} UTC")
    store.add_action(incident.fingerprint, action, by or getpass.getuser(), note)
    typer.echo(f"{action} {incident.fingerprint}: {safe(incident.title)}; the message follows within seconds")


def _store(settings: Settings) -> ClickHouseStore:
    return ClickHouseStore(connect(settings))
