"""`millrace ingest`: move events from Kafka to ClickHouse."""

from __future__ import annotations

import logging
import re
import signal
import threading
from typing import Annotated

import typer

from contracts.errors import UserError
from contracts.logs import configure_logs
from contracts.settings import load_settings
from streaming.ingest.worker import WorkerOptions, run_worker


def ingest(
    name: Annotated[str, typer.Option(help="The worker's name: of its state file, and in the query log.")] = "worker-1",
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="Leave when all that is in the topic is written.")
    ] = False,
) -> None:
    """Move events from Kafka to raw.events, and what is no event to raw.dead_letters; Ctrl-C leaves."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name) or name.startswith("."):
        raise UserError(f"--name {name!r}: letters, digits, '.', '_' and '-' are allowed, at most 64")
    settings = load_settings()
    configure_logs(settings, name)
    # While the broker is away librdkafka complains at every try; the worker says it once, then each 30 s.
    logging.getLogger("millrace.kafka").setLevel(logging.CRITICAL)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    counts = run_worker(settings, stop, WorkerOptions(name=name, until_caught_up=until_caught_up))
    typer.echo(f"{counts.rows} events and {counts.dead_letters} dead letters in {counts.batches} batches")
