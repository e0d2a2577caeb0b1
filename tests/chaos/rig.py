"""One rig: real servers, a load, a team of workers, and what a fault may do to them."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from clickhouse_connect.driver.client import Client
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contracts.clickhouse import connect
from contracts.errors import MillraceError
from contracts.settings import Settings
from local.service import RunningService
from local.supervisor import Supervisor
from sql.migrate import migrate
from tests.chaos.load import Load
from tests.chaos.servers import PARTITIONS, Servers
from tests.chaos.workers import Team, eventually

_START_SECONDS: Final = 240.0


@dataclass(frozen=True)
class Tempo:
    """How hard and how long.

    Args:
        rate: events per second.
        workers: at the start; `doors` at most.
        session_s: a silent worker loses its partitions after so many seconds.
        cut_s: seconds for which connections stay cut.
        pause_s: seconds for which a server is stopped.
        patience_s: seconds within which everything must have landed after a fault.
    """

    rate: float = 700.0
    workers: int = 3
    doors: int = 5
    session_s: float = 4.0
    cut_s: float = 30.0
    pause_s: float = 8.0
    patience_s: float = 120.0


SHORT: Final = Tempo(rate=500.0, workers=2, doors=3, session_s=2.0, cut_s=2.0, pause_s=1.5, patience_s=240.0)


@dataclass
class Rig:
    """What runs, and how to speak to it without a proxy in between."""

    tempo: Tempo
    settings: Settings
    clickhouse: RunningService
    kafka: RunningService
    load: Load
    team: Team

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Yield a connection to ClickHouse that no fault but ClickHouse's own death reaches."""
        with connect(self.settings) as client:
            yield client

    def restart(self, server: RunningService) -> None:
        """Kill -9 a server, and start it again."""
        server.kill()
        server.start()
        server.wait_ready()

    def pause(self, server: RunningService, seconds: float) -> None:
        """SIGSTOP a server for so long, then SIGCONT it."""
        try:
            _signal(server, signal.SIGSTOP)
            time.sleep(seconds)
        finally:
            _signal(server, signal.SIGCONT)

    def landed(self) -> list[int]:
        """Return for each partition one past the highest offset in `raw.events`."""
        query = "SELECT kafka_partition, max(kafka_offset) + 1 FROM raw.events GROUP BY kafka_partition"
        with self.client() as client:
            found: dict[int, int] = {row[0]: row[1] for row in client.query(query).result_rows}
        return [found.get(partition, 0) for partition in range(PARTITIONS)]

    def has_landed(self, heads: list[int]) -> bool:
        """Tell whether `raw.events` is beyond these heads in every partition, apart from a bad message or two."""
        return all(mine >= head - 3 for mine, head in zip(self.landed(), heads, strict=True))


@contextmanager
def rig(home: Path, tempo: Tempo, seed: int) -> Iterator[Rig]:
    """Start everything below `home`, yield it under load, and leave nothing running.

    Raises:
        MillraceError: a server did not start.
        AssertionError: the workers did not begin to write in time.
    """
    servers = Servers.make(home, tempo.doors)
    supervisor = Supervisor(home / "log", lambda _: None)
    settings = _settings(home, servers, tempo)
    load = Load(settings.kafka_broker_url, settings.kafka_topic, PARTITIONS, tempo.rate, seed)
    team = Team(settings, servers.doors, supervisor)
    try:
        clickhouse = supervisor.start(servers.clickhouse)
        kafka = supervisor.start(servers.kafka)
        with connect(settings) as client:
            migrate(client, settings)
        _make_topic(settings)
        load.start()
        for _ in range(tempo.workers):
            team.add()
        made = Rig(tempo, settings, clickhouse, kafka, load, team)
        assert eventually(lambda: all(made.landed()), _START_SECONDS), "the workers did not begin to write"
        yield made
    finally:
        # A stopped process hears no SIGTERM, and a held insert keeps its worker from leaving.
        for door in servers.doors:
            door.heal()
        for worker in team.workers:
            worker.signal(signal.SIGCONT)
        supervisor.stop_all()
        load.stop(seconds=0.1)
        for door in servers.doors:
            door.close()


def _settings(home: Path, servers: Servers, tempo: Tempo) -> Settings:
    own = uuid.uuid4().hex[:8]
    return Settings(
        _env_file=None,
        millrace_home=home,
        clickhouse_host="127.0.0.1",
        clickhouse_port=servers.http_port,
        kafka_broker_url=f"127.0.0.1:{servers.kafka_port}",
        kafka_topic=f"chaos-{own}",
        kafka_group_id=f"chaos-{own}",
        kafka_flush_interval=0.4,
        # Small, so that catching up takes many batches whose bounds differ from worker to worker.
        kafka_batch_size=1_000,
        kafka_session_timeout_ms=int(tempo.session_s * 1000),
    )


def _make_topic(settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka_broker_url, "log_level": 0})
    topic = settings.kafka_topic
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result()
    if not eventually(lambda: topic in admin.list_topics(timeout=5).topics, _START_SECONDS):
        raise MillraceError(f"topic {topic} was not made")


def _signal(server: RunningService, number: signal.Signals) -> None:
    if server.pid is not None and server.exit_code is None:
        psutil.Process(server.pid).send_signal(number)
