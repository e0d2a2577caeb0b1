"""`millrace status`: what runs, and how far the data has come."""

from __future__ import annotations

import json

import typer

from cli.output import AsJson
from contracts.clickhouse import connect
from contracts.errors import MillraceError
from contracts.settings import load_settings
from contracts.workers import read_workers
from local.launch import read_state
from local.progress import read_progress


def status(
    as_json: AsJson = False,
) -> None:
    """Show the stack's processes and how fresh each hop is; exit 1 when nothing runs here."""
    settings = load_settings()
    state = read_state(settings.millrace_home)
    services = state["services"] if state else {}
    workers = {name: worker for name, worker in read_workers(settings).items() if name in services}
    report: dict[str, object] = {"services": services, "workers": workers}
    try:
        with connect(settings) as client:
            report["data"] = read_progress(client, settings).as_dict()
    except MillraceError as error:
        report["data"] = {"error": str(error)[:300]}
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(report)
    if not state:
        raise typer.Exit(1)


def _print(report: dict[str, object]) -> None:
    services = report["services"]
    if not services:
        typer.echo("no stack runs here; start one with `millrace up`")
    if isinstance(services, dict):
        for name, service in services.items():
            typer.echo(f"{name:<12} process {service['pid']}, restarted {service['restarts']} times, {service['log']}")
    workers = report["workers"]
    if isinstance(workers, dict):
        for name, worker in workers.items():
            where = f", {worker['endpoint']}/health" if worker["endpoint"] else ""
            typer.echo(f"{name:<12} {worker['reason'] or worker['state']}, lag {worker['lag']}{where}")
    data = report["data"]
    if isinstance(data, dict):
        for name, value in data.items():
            typer.echo(f"{name:<12} {value}")
