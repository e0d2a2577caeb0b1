"""`millrace demo`: the whole path on one machine."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from cli.up import interrupt_on_sigterm, say
from contracts.settings import load_settings
from local.demo.scenario import Demo, Options
from local.demo.source import SIMULATOR, make_source
from local.launch import Launched
from local.stack import Stack, choose_kafka


def demo(
    duration: Annotated[
        float | None, typer.Option(min=10, help="Seconds of the live phase; else until Ctrl-C.")
    ] = None,
    rate: Annotated[float, typer.Option(min=1, max=100_000, help="Live events per second.")] = 500,
    source: Annotated[str, typer.Option(help="simulator, online-retail or apache-access.")] = SIMULATOR,
    history_events: Annotated[int, typer.Option(min=1_000, help="Events of simulated history.")] = 1_000_000,
    slack_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Slack stand-in.")] = 8099,
) -> None:
    """Run everything for real: history, live events, marts, a planted spike and its alert; report what was seen.

    Exits 1 when an event is missing or doubled, or when the spike raised no alert.
    """
    settings, sentence = choose_kafka(load_settings())
    if sentence:
        say(sentence)
    home = settings.millrace_home / "demo"
    stack = Stack(settings.model_copy(update={"millrace_home": home}), slack_port)
    options = Options(duration, make_source(source, home.resolve() / "truth.json", rate, duration, history_events))
    launched = Launched(stack, say)
    launched.refuse_a_second()
    # Counts are only worth something against a clean slate; a demo owns its folder and nothing else.
    shutil.rmtree(home, ignore_errors=True)
    interrupt_on_sigterm()
    job = Demo(launched, options, say)
    try:
        report = job.run()
    finally:
        say("stopping the stack")
        launched.stop()
    report.write(settings.millrace_home / "demo-report.json")
    for line in report.summary():
        say(line)
    say(f"report: {settings.millrace_home / 'demo-report.json'}")
    for failure in report.failures():
        typer.echo(f"millrace: {failure}", err=True)
    if report.failures():
        raise typer.Exit(1)
