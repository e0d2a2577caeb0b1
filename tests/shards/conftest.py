"""Two ClickHouse servers as two shards in the place of the one; there is no Keeper, so nothing is replicated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.names import SHARDED
from contracts.settings import Settings
from local.clickhouse.config import write_config
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate

CLUSTER = "two"


@pytest.fixture(scope="session")
def shard_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[RunningService, Settings]]]:
    """Two servers that know each other, with the migrations applied to each, and the settings that point at them."""
    home = tmp_path_factory.mktemp("shards")
    ports = [free_ports(2) for _ in range(2)]
    servers = []
    for number, (http, native) in enumerate(ports):
        service = clickhouse_service(home / str(number) / "server", http, native)
        prepare = _preparation(home / str(number) / "server", [pair[1] for pair in ports])
        servers.append(RunningService(replace(service, prepare=prepare), home / str(number)))
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait_ready()
        settings = [_migrated(home / str(number), *pair) for number, pair in enumerate(ports)]
        yield list(zip(servers, settings, strict=True))
    finally:
        for server in servers:
            server.kill()


@pytest.fixture(scope="session")
def shards(shard_servers: list[tuple[RunningService, Settings]]) -> list[Settings]:
    """Settings that point at each of the two shards."""
    return [settings for _, settings in shard_servers]


def _preparation(home: Path, natives: list[int]) -> Callable[[], None]:
    def prepare() -> None:
        path = write_config(home, is_shard=True)
        listed = "".join(
            f"<shard><replica><host>127.0.0.1</host><port>{native}</port></replica></shard>" for native in natives
        )
        cluster = f"<remote_servers><{CLUSTER}>{listed}</{CLUSTER}></remote_servers>"
        path.write_text(path.read_text().replace("</clickhouse>", f"{cluster}</clickhouse>"))

    return prepare


def _migrated(home: Path, http: int, native: int) -> Settings:
    settings = Settings(
        _env_file=None,
        millrace_home=home,
        clickhouse_host="127.0.0.1",
        clickhouse_port=http,
        clickhouse_native_port=native,
        clickhouse_cluster=CLUSTER,
        clickhouse_replicated=False,
    )
    migrate(connect(settings), settings)
    return settings


@pytest.fixture(scope="session")
def clickhouse_server(shards: list[Settings]) -> Settings:
    """The shard that every process names; overrides the one server of the other tests."""
    return shards[0]


@pytest.fixture
def clickhouse(shards: list[Settings]) -> Iterator[Client]:
    """A client of the first shard; the sharded tables are empty on both."""
    clients = [connect(settings) for settings in shards]
    for client in clients:
        for table in SHARDED:
            client.command(f"TRUNCATE TABLE {table}_local")
    yield clients[0]
    for client in clients:
        client.close()
