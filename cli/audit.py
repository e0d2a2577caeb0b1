"""`millrace audit`: shows that each offset lies in exactly one raw table, once."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import signal
import sys
import threading
from typing import Annotated

import typer
from rich.console import Console

from audit.audit import audit as run_audit
from audit.broker import KafkaBroker
from audit.gaps import LegalGaps
from audit.render import sentences, table
from audit.report import Report
from cli.output import AsJson
from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.errors import RetryLater, UserError
from contracts.settings import load_settings

_WIDE_ENOUGH = 140
_INTERRUPTED = 130


def audit(
    topic: Annotated[
        list[str] | None, typer.Option(help="Audit this topic; may be repeated. Default: the settings' topics.")
    ] = None,
    as_json: AsJson = False,
    watch: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Audit again after so many seconds, until Ctrl-C.")
    ] = None,
    no_kafka: Annotated[bool, typer.Option("--no-kafka", help="Read ClickHouse only: no lag, gaps unchecked.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also when something could not be proven.")] = False,
) -> None:
    """Prove that each Kafka offset is in exactly one raw table, once; exit 1 when one is lost or doubled."""
    settings = load_settings()
    topics = [_checked(each) for each in topic or settings.topics]
    # What librdkafka would print at every try, the audit says in one line.
    logging.getLogger("millrace.kafka").setLevel(logging.CRITICAL)
    clock, legal = SystemClock(), LegalGaps()
    interrupted = threading.Event()
    if watch is not None:
        # An audit that is under way is finished first: it takes a moment, and half of one says nothing.
        signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(connect(settings))
        broker = None if no_kafka else stack.enter_context(KafkaBroker(settings, clock))
        while True:
            try:
                report = run_audit(client, topics, broker, legal=legal)
                if report.unknown_topics and report.kafka == "asked":
                    raise UserError(f"neither Kafka nor ClickHouse has a topic {report.unknown_topics[0]}")
                _print(report, as_json=as_json)
            except RetryLater as error:
                if watch is None:
                    raise
                typer.echo(f"millrace: {error}", err=True)
            if watch is None:
                break
            if interrupted.wait(watch):
                raise typer.Exit(_INTERRUPTED)
    if report.verdict == "broken" or (strict and report.verdict == "unproven"):
        raise typer.Exit(1)


def _checked(topic: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", topic):
        raise UserError(f"--topic {topic!r}: letters, digits, '.', '_' and '-' are allowed, at most 249")
    return topic


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
        return
    console = Console(width=None if sys.stdout.isatty() else _WIDE_ENOUGH)
    console.print(table(report))
    for line in sentences(report):
        typer.echo(line)
