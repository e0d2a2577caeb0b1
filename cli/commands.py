"""The commands by what they are for, each with its line of `millrace --help`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import typer
from typer._click import Context, HelpFormatter
from typer.core import TyperGroup

# Each command is the function of its name in the module of its name, or that module's `app`.
GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Run it": {
        "demo": "the whole path on this machine, with a planted spike",
        "up": "start the local stack and keep it running",
        "status": "what runs, and how far the data has come",
        "doctor": "test Kafka, ClickHouse, Slack, disk and versions",
        "migrate": "make or update the tables and roles in ClickHouse",
    },
    "Move events": {
        "produce": "a simulated shop, onto Kafka",
        "replay": "a real log or archived days, onto Kafka",
        "ingest": "a worker: Kafka to raw.events, exactly once",
        "rewind": "read Kafka again and write what is missing",
        "dead-letters": "see what was refused, send it again, drop it",
    },
    "Look": {
        "events": "search raw events",
        "dashboard": "serve the web dashboard",
        "audit": "prove that nothing is lost or doubled",
        "metrics": "serve the platform's figures to Prometheus, or start one",
        "alerts": "incidents: list, acknowledge, resolve; try channels and rules",
    },
    "Keep": {
        "archive": "closed days as Parquet: list, write, verify, drop",
        "restore": "bring archived days back, bit for bit",
    },
    "Your shell": {
        "completion": "print what completes commands in bash, zsh or fish",
    },
}
COMMANDS: Final[tuple[str, ...]] = tuple(name for group in GROUPS.values() for name in group)


class Grouped(TyperGroup):
    """The program, whose help shows its commands by group, a line each."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the groups in place of one long list."""
        del ctx
        width = max(len(name) for name in COMMANDS)
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])


def stand_in(app: typer.Typer, name: str) -> None:
    """Add a command to `app` that knows no more than its line of help; it is never called."""
    summary = next(group[name] for group in GROUPS.values() if name in group)
    app.command(name, help=summary)(lambda: None)
