"""`millrace up`: the local stack in the foreground."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from contracts.errors import UserError
from contracts.settings import load_settings
from local.launch import Launched
from local.stack import PARTS, Stack, choose_kafka


def up(
    only: Annotated[str, typer.Option(help=f"Start these parts only: {','.join(PARTS)}.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Number of ingest workers.")] = 1,
    slack_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Slack stand-in.")] = 8099,
) -> None:
    """Start Kafka, ClickHouse, ingest, Dagster, the dashboard and a simulated shop; Ctrl-C stops them all."""
    parts = _parts(only)
    settings, sentence = choose_kafka(load_settings())
    if sentence:
        say(sentence)
    launched = Launched(Stack(settings, slack_port, workers), say)
    interrupt_on_sigterm()
    try:
        launched.start(parts)
        say(f"up: {', '.join(launched.supervisor.running)}. Ctrl-C stops everything.")
        if "dagster" in parts:
            say(f"Dagster: http://localhost:{settings.dagster_port}")
        if "dashboard" in parts:
            say(f"Dashboard: http://localhost:{settings.dashboard_port}")
        if "clickhouse" in parts:
            say(f"ClickHouse: http://localhost:{settings.clickhouse_port}/play")
        launched.run_until_interrupted()
    except KeyboardInterrupt:
        say("stopping")
    finally:
        launched.stop()


def say(text: str) -> None:
    """Print one line for the user, at once even into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parts(only: str) -> tuple[str, ...]:
    if not only:
        return PARTS
    asked = {part.strip() for part in only.split(",") if part.strip()}
    unknown = sorted(asked - set(PARTS))
    if unknown:
        raise UserError(f"--only: no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in asked)


def interrupt_on_sigterm() -> None:
    """Let SIGTERM do what Ctrl-C does, for this process and those it starts.

    A shell starts background jobs with Ctrl-C ignored, and ignored signals are inherited: Dagster would then not
    hear the supervisor's signals either.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)
