"""Servers the tests run on: real ones, started once per pytest process on free ports and own folders."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.install import kafka_is_installed
from local.paths import clickhouse_library
from local.ports import free_ports
from local.servers import clickhouse_service, kafka_service
from local.service import RunningService
from sql.migrate import migrate
from tests.tables import drop_models, empty_raw


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Put the process's loggers back: a command that set them up writes to the captured stream of one test."""
    root, ours = logging.getLogger(), logging.getLogger("millrace")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture(scope="session")
def one_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A real ClickHouse with the migrations applied; yields settings that point at it."""
    if not clickhouse_library().exists():
        pytest.skip("ClickHouse's library is not installed: run `make setup`")
    home = tmp_path_factory.mktemp("clickhouse")
    http_port, native_port = free_ports(2)
    server = RunningService(clickhouse_service(home / "server", http_port, native_port), home)
    server.start()
    try:
        server.wait_ready()
        settings = Settings(
            _env_file=None,
            millrace_home=home,
            clickhouse_host="127.0.0.1",
            clickhouse_port=http_port,
            clickhouse_native_port=native_port,
        )
        migrate(connect(settings), settings)
        yield settings
    finally:
        server.kill()  # in order it takes five seconds, and nobody needs the data


@pytest.fixture(scope="session")
def clickhouse_server(one_clickhouse: Settings) -> Settings:
    """Settings that point at the ClickHouse of a test: one server, or in tests/shards one of two."""
    return one_clickhouse


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Apache Kafka; yields its bootstrap address."""
    if os.environ.get("KAFKA") == "memory" or not kafka_is_installed():
        pytest.skip("needs a real Kafka: Java 17 and Maven, and KAFKA not set to memory")
    home = tmp_path_factory.mktemp("kafka")
    port, controller = free_ports(2)
    server = RunningService(kafka_service(home / "broker", port, controller, 8), home)
    server.start()
    try:
        server.wait_ready()
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()


@pytest.fixture
def clickhouse(clickhouse_server: Settings) -> Iterator[Client]:
    """A client of the real ClickHouse whose raw tables are empty."""
    client = connect(clickhouse_server)
    empty_raw(client)
    yield client
    client.close()


@pytest.fixture
def clean_marts(clickhouse: Client) -> None:
    """No models and no watermarks: dbt begins from nothing."""
    drop_models(clickhouse)


@pytest.fixture
def make_settings(clickhouse_server: Settings, kafka_server: str, tmp_path: Path) -> Callable[..., Settings]:
    """Settings for the real servers with a topic, a group and a home of this test's own."""
    own = uuid.uuid4().hex[:8]

    def make(**changes: object) -> Settings:
        base = {
            "_env_file": None,
            "millrace_home": tmp_path,
            "clickhouse_host": "127.0.0.1",
            "clickhouse_port": clickhouse_server.clickhouse_port,
            "clickhouse_native_port": clickhouse_server.clickhouse_native_port,
            "clickhouse_cluster": clickhouse_server.clickhouse_cluster,
            "clickhouse_replicated": clickhouse_server.clickhouse_replicated,
            "kafka_broker_url": kafka_server,
            "kafka_topic": f"events-{own}",
            "kafka_group_id": f"group-{own}",
            "kafka_flush_interval": 0.2,
            "ingest_metrics_port": 0,
        }
        return Settings(**(base | changes))

    return make
