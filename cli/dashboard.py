"""`millrace dashboard`: the web dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.logs import configure_logs
from contracts.settings import load_settings
from dashboard.login import hash_password as hashed
from dashboard.server import serve


def dashboard(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default DASHBOARD_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; default DASHBOARD_PORT.")
    ] = None,
    hash_password: Annotated[
        bool, typer.Option("--hash-password", help="Ask for a password and print its hash for DASHBOARD_USERS.")
    ] = False,
) -> None:
    """Serve the dashboard; Ctrl-C stops it. It reads ClickHouse as CLICKHOUSE_USER and needs no more than SELECT."""
    if hash_password:
        typer.echo(hashed(typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)))
        return
    settings = load_settings()
    configure_logs(settings)
    shown = host or settings.dashboard_host, port or settings.dashboard_port
    typer.echo(f"dashboard: http://{'localhost' if shown[0] in {'127.0.0.1', '0.0.0.0'} else shown[0]}:{shown[1]}")  # noqa: S104 - compared, not bound
    serve(settings, *shown)
