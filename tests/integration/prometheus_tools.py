"""A platform with something to measure, its exporter, and a real Prometheus that scrapes all of it."""

from __future__ import annotations

import json
import shutil
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from dagster._core.scheduler.instigation import TickStatus
from dagster._daemon.types import DaemonHeartbeat
from pydantic import SecretStr

from contracts.clickhouse import connect
from contracts.names import ALERT_OUTBOX, INCIDENTS, LIVE_MODELS, ROLE_DASHBOARD, ROLE_METRICS
from contracts.settings import Settings
from local.clickhouse.config import passwords
from local.ports import free_ports
from local.prometheus import Addresses, prometheus_service
from local.service import RunningService
from orchestration.home import prepare_home
from orchestration.metrics.endpoint import exporting
from tests.dbt_runs import dbt
from tests.integration.ingest_tools import good, in_both, make_topic, produce, running_worker, wait_until
from tests.patience import WAIT_SECONDS
from tests.tables import drop_models, empty_raw
from tests.ticks import ticked
from tests.unit.streaming.ingest.messages import as_json

# What the boards read, and what the exporter's figures are about.
MODELS = (*LIVE_MODELS, "+fct_item_hourly", "+fct_user", "+experiment_results")
MISSING = "needs Prometheus: Debian's package prometheus"


@dg.asset(key=["marts", "fct_item"])
def fct_item() -> None:
    """Stands for the mart."""


@dg.asset_check(asset=fct_item)
def enough() -> dg.AssetCheckResult:
    """Always fails, so that there is a failing check to see."""
    return dg.AssetCheckResult(passed=False)


@dataclass(frozen=True)
class World:
    """What is up.

    Args:
        server: settings of the test session's ClickHouse.
        settings: of the platform.
        url: of Prometheus.
        home: Dagster's.
    """

    server: Settings
    settings: Settings
    url: str
    home: Path

    def ask(self, path: str, **parameters: str) -> Any:
        """Return what Prometheus' HTTP API answers."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the series that an expression has now."""
        return [(one["metric"], float(one["value"][1])) for one in self.ask("query", query=expression)["result"]]

    def value(self, expression: str) -> float:
        """Return the one number that an expression has, also after a scrape that failed on a busy machine."""
        found = self.values(expression)
        end = time.monotonic() + WAIT_SECONDS
        while not found and time.monotonic() < end:
            time.sleep(0.1)
            found = self.values(expression)
        ((_, value),) = found
        return value

    def reader(self) -> Settings:
        """Return settings of the user that Grafana asks ClickHouse as."""
        secret = SecretStr(passwords(self.server.millrace_home / "server")[ROLE_DASHBOARD])
        return self.settings.model_copy(update={"clickhouse_user": ROLE_DASHBOARD, "clickhouse_password": secret})

    def run_job(self) -> None:
        """Let Dagster build the mart and evaluate its check once more."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            dg.materialize([fct_item, enough], instance=instance)


def becomes(look: Callable[[], Any], expected: Any, seconds: float = 30.0) -> None:
    """Poll until `look` returns what is expected; fail with what it returned last."""
    end = time.monotonic() + seconds
    while (seen := look()) != expected and time.monotonic() < end:
        time.sleep(0.1)
    assert seen == expected, f"{seen!r} is not {expected!r}"


@contextmanager
def scraped_world(server: Settings, kafka: str, folder: Path) -> Iterator[World]:
    """A worker, models, a Dagster, an open incident, an exporter with no more rights than its role, and Prometheus."""
    if shutil.which("prometheus") is None:
        pytest.skip(MISSING)
    own = uuid.uuid4().hex[:8]
    changes: dict[str, Any] = {
        "millrace_home": folder,
        "kafka_broker_url": kafka,
        "kafka_topic": f"events-{own}",
        "kafka_group_id": f"group-{own}",
        "kafka_flush_interval": 0.2,
        "ingest_metrics_port": "auto",
        "metrics_port": free_ports(1)[0],
    }
    settings = server.model_copy(update=changes)
    secret = SecretStr(passwords(server.millrace_home / "server")[ROLE_METRICS])
    exporter = settings.model_copy(update={"clickhouse_user": ROLE_METRICS, "clickhouse_password": secret})
    with ExitStack() as stack:
        client = stack.enter_context(connect(server))
        empty_raw(client)
        drop_models(client)
        make_topic(settings)
        stack.enter_context(running_worker(settings))
        sent = produce(settings, [*good(200), *shop(60), b"bad"])
        stack.callback(forget_incidents, client)
        forget_incidents(client)
        write_incident(client)
        home = folder / "dagster"
        prepare_home(home)
        live(home)
        address = stack.enter_context(exporting(exporter, home))
        # Before the models are made: Prometheus takes five seconds to go and look for the workers.
        world = World(server, settings, stack.enter_context(prometheus(settings, address)), home)
        wait_until(lambda: in_both(client, settings) == sent)
        statuses = dbt(server, folder / "dbt", "run", "--select", *MODELS)
        assert set(statuses.values()) == {"success"}, statuses
        yield world


def shop(number: int) -> list[bytes]:
    """This many events of now: pages that are looked at, and items that are bought."""
    now = datetime.now(UTC).isoformat()
    kinds = ({"event_type": "page_view", "page_url": "https://shop/a"}, {"event_type": "purchase", "price": 5})
    item = {"item_id": "i1", "item_category": "books", "device_type": "mobile"}
    return [
        as_json(event_id=str(uuid.uuid4()), user_id=f"u{index % 7}", timestamp=now, **item, **kinds[index % 2])
        for index in range(number)
    ]


def forget_incidents(client: Client) -> None:
    """Nothing is wrong and nothing waits, on a server that other tests use too."""
    for table in (INCIDENTS, ALERT_OUTBOX):
        client.command(f"TRUNCATE TABLE {table}")


def write_incident(client: Client) -> None:
    """An open incident, and a message about it that waits."""
    now = datetime.now(UTC)
    client.insert(
        INCIDENTS,
        [["f1", "check:x", "error", "open", now, 1]],
        column_names=["fingerprint", "subject", "severity", "state", "last_seen", "version"],
    )
    client.insert(
        ALERT_OUTBOX,
        [["m1", "f1", "slack", "pending", now - timedelta(hours=1), 1]],
        column_names=["id", "incident", "channel", "state", "created_at", "version"],
    )


def live(home: Path) -> None:
    """Let Dagster's daemon have lived: a sign of life, a sensor that ticked, a run that was asked for."""
    now = datetime.now(UTC)
    job = dg.define_asset_job("marts", [fct_item]).resolve(asset_graph=dg.Definitions([fct_item]).resolve_asset_graph())
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(now.timestamp(), "SENSOR", "a", []))
        ticked(instance, "raw_rows", now, TickStatus.SKIPPED)
        instance.create_run_for_job(job)


@contextmanager
def prometheus(settings: Settings, exporter: str) -> Iterator[str]:
    """Prometheus with a scrape a second; yields its address."""
    (port,) = free_ports(1)
    clickhouse = f"127.0.0.1:{settings.clickhouse_port}"
    addresses = Addresses(exporter.removeprefix("http://"), clickhouse, port)
    folder = settings.millrace_home
    running = RunningService(prometheus_service(folder / "prometheus", addresses, every_seconds=1), folder)
    running.start()
    try:
        running.wait_ready()
        yield f"http://127.0.0.1:{port}"
    finally:
        running.kill()
