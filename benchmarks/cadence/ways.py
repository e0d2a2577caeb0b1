"""Two ways to run the same definitions: as this project does, and with Dagster's stock launcher, log and dbt."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dagster as dg
import psutil

from contracts.names import DBT_JOB
from contracts.settings import Settings
from local.paths import ROOT
from local.ports import free_ports
from local.servers import answers_http
from local.service import RunningService, Service

# Without a queue in either way: a run starts when it is asked for, and what piles up is seen as runs not ended.
_STOCK: Final = """
telemetry:
  enabled: false
run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
"""
_LAUNCH: Final = """
mutation Launch($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
_SELECTOR: Final = {
    "repositoryLocationName": "millrace",
    "repositoryName": "__repository__",
    "jobName": DBT_JOB,
}


@dataclass(frozen=True)
class Way:
    """One way to run Dagster.

    Args:
        name: as the report calls it.
        instance: the text of dagster.yaml.
        dbt: the value of ORCHESTRATION_DBT.

    """

    name: str
    instance: str
    dbt: str


WAYS: Final = {
    "stock": Way("stock", _STOCK, "cli"),
    "millrace": Way("millrace", (ROOT / "dagster.yaml").read_text(), "in_process"),
}


class Webserver:
    """Dagster's webserver, which starts the runs it is asked for; there is no daemon and so no sensor.

    Args:
        way: how it is set up.
        home: DAGSTER_HOME.
        settings: where ClickHouse is.

    """

    def __init__(self, way: Way, home: Path, settings: Settings) -> None:
        (self._port,) = free_ports(1)
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text(way.instance)
        self.instance = dg.DagsterInstance.from_config(str(home))  # makes the storage before anybody else opens it
        environment = {
            "CLICKHOUSE_HOST": settings.clickhouse_host,
            "CLICKHOUSE_PORT": str(settings.clickhouse_port),
            "MILLRACE_HOME": str(settings.millrace_home / way.name),
            "DAGSTER_HOME": str(home),
            "ORCHESTRATION_DBT": way.dbt,
        }
        command = (sys.executable, "-m", "dagster_webserver", "-w", "workspace.yaml", "-p", str(self._port))
        ready = f"{self.address}/server_info"
        self._service = RunningService(
            Service(f"webserver-{way.name}", command, lambda: answers_http(ready), environment, start_seconds=300), home
        )

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._service.start()
        self._service.wait_ready()

    def stop(self) -> None:
        """End it with all it started."""
        self._service.stop()
        self.instance.dispose()

    def ask(self) -> str:
        """Ask for a run of the marts; returns its id.

        Raises:
            SystemExit: Dagster refuses.

        """
        body = json.dumps({"query": _LAUNCH, "variables": {"selector": _SELECTOR}}).encode()
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/graphql", body, kind)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310 - as above
            found: dict[str, Any] = json.load(answer)["data"]["launchRun"]
        if found["__typename"] != "LaunchRunSuccess":
            raise SystemExit(f"Dagster does not start a run: {found}")
        return str(found["run"]["runId"])

    def cpu_seconds(self) -> float:
        """Return the processor time of the webserver and everything it started, also of what has ended."""
        total = 0.0
        root = psutil.Process(self._service.pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total


@contextmanager
def running(way: Way, home: Path, settings: Settings) -> Iterator[Webserver]:
    """Yield a started webserver."""
    server = Webserver(way, home / f"dagster-{way.name}", settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
