"""`millrace metrics`: the platform's metrics for Prometheus."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.up import interrupt_on_sigterm, say
from contracts.logs import configure_logs
from contracts.settings import Settings, load_settings
from local.launch import as_running
from local.prometheus import Addresses, prometheus_service
from local.stack import Stack
from local.supervisor import Supervisor
from orchestration.metrics.endpoint import exporting

# Where ClickHouse has its own metrics when it is not the local stack's (monitoring/clickhouse/metrics.xml).
CLICKHOUSE_PORT = 9363


def metrics(
    dagster_home: Annotated[
        Path | None,
        typer.Option(envvar="DAGSTER_HOME", help="Dagster's folder; default MILLRACE_HOME/dagster."),
    ] = None,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Also start a Prometheus that scrapes the local stack.")
    ] = False,
) -> None:
    """Serve what Kafka, ClickHouse and Dagster say about the platform at /metrics; Ctrl-C stops it."""
    settings = as_running(load_settings())
    configure_logs(settings)
    # Dagster's storage says at each opening which kind of database it is.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    interrupt_on_sigterm()
    supervisor = Supervisor(settings.millrace_home.resolve() / "log", say)
    try:
        with exporting(settings, dagster_home or settings.millrace_home / "dagster") as address:
            say(f"metrics: {address}/metrics")
            if prometheus:
                home = settings.millrace_home.resolve() / "prometheus"
                supervisor.start(prometheus_service(home, _addresses(settings, address)))
                say(f"Prometheus: http://localhost:{settings.prometheus_port}/alerts")
            while True:
                supervisor.tick()
                time.sleep(0.5)
    except KeyboardInterrupt:
        say("stopping")
    finally:
        supervisor.stop_all()


def _addresses(settings: Settings, exporter: str) -> Addresses:
    is_local = Stack(settings, slack_port=0).owns_clickhouse
    clickhouse = f"{settings.clickhouse_host}:{settings.clickhouse_port if is_local else CLICKHOUSE_PORT}"
    return Addresses(exporter.removeprefix("http://"), clickhouse, settings.prometheus_port)
