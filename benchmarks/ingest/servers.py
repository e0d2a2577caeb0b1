"""A Kafka and a ClickHouse of the benchmark's own: free ports, temporary folders, the same for all contestants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.ports import free_ports
from local.servers import clickhouse_service, kafka_service
from local.service import RunningService, Service
from sql.migrate import migrate

PARTITIONS: Final = 8
# As on a stock broker, though shorter: consumers that start together get their partitions together.
# With the local stack's 0 ms the first would get all of them and the second wait for a heartbeat.
_JOIN_DELAY: Final = "group.initial.rebalance.delay.ms=1000\n"
# A thread for each consumer of the Kafka engine; without it this build lets two of them work.
# The local stack's limit is for a small machine; the Kafka engine with large blocks does not fit into it.
_MEMORY_BYTES: Final = 8_000_000_000
_ENGINE_THREADS: Final = (
    "<background_message_broker_schedule_pool_size>16</background_message_broker_schedule_pool_size>"
)
_CONFIG_END: Final = "</clickhouse>"


@dataclass(frozen=True)
class Servers:
    """The running servers.

    Args:
        settings: point at both, and at the topic of the events.
        clickhouse_pid, kafka_pid: their processes.
    """

    settings: Settings
    clickhouse_pid: int
    kafka_pid: int


@contextmanager
def running_servers(home: Path) -> Iterator[Servers]:
    """Start both below `home`, apply the migrations, and stop them in the end.

    Raises:
        Permanent: one of them did not come up.
    """
    http, native, broker, controller = free_ports(4)
    services = [
        RunningService(_clickhouse(home / "server", http, native), home),
        RunningService(_kafka(home / "kafka", broker, controller), home),
    ]
    try:
        for service in services:
            service.start()
        for service in services:
            service.wait_ready()
        settings = _settings(home, http, f"127.0.0.1:{broker}")
        migrate(connect(settings), settings)
        pids = [service.pid or 0 for service in services]
        yield Servers(settings, *pids)
    finally:
        for service in services:
            service.stop()


def _settings(home: Path, http_port: int, broker: str) -> Settings:
    return Settings.model_validate(
        {
            "millrace_home": home,
            "clickhouse_host": "127.0.0.1",
            "clickhouse_port": http_port,
            "kafka_broker_url": broker,
            "kafka_topic": "bench",
            "kafka_partitions": PARTITIONS,
            # What the local stack sets; full batches close by rows long before.
            "kafka_flush_interval": 1.0,
        }
    )


def _kafka(home: Path, port: int, controller_port: int) -> Service:
    def join_together() -> None:
        with (home / "server.properties").open("a") as properties:
            properties.write(_JOIN_DELAY)

    return _prepared_further(kafka_service(home, port, controller_port, PARTITIONS), join_together)


def _clickhouse(home: Path, http_port: int, native_port: int) -> Service:
    def give_threads() -> None:
        config = home / "config.xml"
        config.write_text(config.read_text().replace(_CONFIG_END, _ENGINE_THREADS + _CONFIG_END))

    return _prepared_further(clickhouse_service(home, http_port, native_port, _MEMORY_BYTES), give_threads)


def _prepared_further(service: Service, further: Callable[[], None]) -> Service:
    def prepare() -> None:
        if service.prepare:
            service.prepare()
        further()

    return replace(service, prepare=prepare)
