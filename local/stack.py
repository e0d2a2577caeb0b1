"""The services of the local stack, in the order of the data, and the environment each one sees."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from contracts.names import ROLE_DASHBOARD, ROLE_DBT, ROLE_INGEST, ROLE_RESPONDER
from contracts.settings import Settings
from local.clickhouse.config import passwords
from local.install import kafka_is_installed
from local.paths import ROOT
from local.ports import free_ports
from local.servers import answers_http, answers_kafka, clickhouse_service, kafka_service
from local.service import Service

PARTS: Final = ("clickhouse", "kafka", "slack", "ingest", "dagster", "dashboard", "simulator")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_LOCAL_FLUSH_SECONDS: Final = 1.0
_MEANS: Final = (
    "librdkafka's built-in broker is used; its events live in memory and are gone when it stops, "
    "and the producer waits for the workers so that none is dropped"
)


@dataclass(frozen=True)
class Stack:
    """What the local stack consists of for given settings.

    Args:
        settings: as read from the environment; the built-in broker's address is filled in once it runs.
        slack_port: the port of the Slack stand-in; unused with a real token.
        workers: number of ingest workers.
    """

    settings: Settings
    slack_port: int
    workers: int = 1

    @property
    def home(self) -> Path:
        """The folder of all data, logs and reports."""
        return self.settings.millrace_home.resolve()

    @property
    def logs(self) -> Path:
        """The folder of the services' logs."""
        return self.home / "log"

    @property
    def slack_file(self) -> Path:
        """Where the Slack stand-in writes what it was sent."""
        return self.home / "slack.jsonl"

    @property
    def owns_clickhouse(self) -> bool:
        """Whether ClickHouse is ours to start: its host is this machine."""
        return self.settings.clickhouse_host in _LOOPBACK

    @property
    def owns_kafka(self) -> bool:
        """Whether Kafka is ours to start: its first broker is on this machine."""
        return self.settings.kafka_broker_url.rsplit(":", 1)[0] in _LOOPBACK

    @property
    def uses_slack_stand_in(self) -> bool:
        """Whether Slack's API is played locally, because there is no token."""
        return self.settings.slack_bot_token is None

    def clickhouse(self) -> Service | None:
        """Return the ClickHouse service, or None when it runs elsewhere."""
        if not self.owns_clickhouse:
            return None
        return clickhouse_service(
            self.home / "clickhouse", self.settings.clickhouse_port, self.settings.clickhouse_native_port
        )

    def kafka(self) -> Service | None:
        """Return the broker, real or in memory, or None when it runs elsewhere."""
        if not self.owns_kafka:
            return None
        if self.settings.kafka == "memory":
            return self._memory_broker()
        port = int(self.settings.kafka_broker_url.rsplit(":", 1)[1])
        return kafka_service(self.home / "kafka", port, self._controller_port(), self.settings.kafka_partitions)

    def slack(self) -> Service | None:
        """Return the Slack stand-in, or None when a token is set."""
        if not self.uses_slack_stand_in:
            return None
        port = str(self.slack_port)
        return Service(
            name="slack",
            command=_python("local.slack_stand_in", "--port", port, "--file", str(self.slack_file)),
            ready=lambda: answers_http(f"http://127.0.0.1:{port}/"),
            ports=(self.slack_port,),
        )

    def ingest(self) -> list[Service]:
        """Return the workers; each says in its own file how it is doing."""
        return [self._worker(number) for number in range(1, self.workers + 1)]

    def dagster(self) -> Service:
        """Return `dagster dev` on the workspace of the checkout."""
        home = self.home / "dagster"
        port = self.settings.dagster_port

        def prepare() -> None:
            # Dagster takes most of a second to load, which `millrace status` would wait for, too.
            from orchestration.home import prepare_home  # noqa: PLC0415 - see above

            prepare_home(home)

        return Service(
            name="dagster",
            command=(
                *_python("dagster", "dev", "--workspace", str(ROOT / "workspace.yaml")),
                *("--host", "127.0.0.1", "--port", str(port)),
            ),
            ready=lambda: answers_http(f"http://127.0.0.1:{port}/server_info"),
            environment=self._environment(ROLE_DBT) | {"DAGSTER_HOME": str(home)},
            ports=(port,),
            prepare=prepare,
            start_seconds=300,
            stop_seconds=6,
        )

    def dashboard(self) -> Service:
        """Return the web dashboard, which reads with a role that cannot write, and acknowledges with another."""
        port = self.settings.dashboard_port
        environment = self._environment(ROLE_DASHBOARD) | {"DASHBOARD_PORT": str(port)}
        if self.owns_clickhouse:
            secret = passwords(self.home / "clickhouse")[ROLE_RESPONDER]
            environment |= {"DASHBOARD_RESPONDER_USER": ROLE_RESPONDER, "DASHBOARD_RESPONDER_PASSWORD": secret}
        return Service(
            name="dashboard",
            command=_python("cli", "dashboard"),
            ready=lambda: answers_http(f"http://127.0.0.1:{port}/alive"),
            environment=environment,
            ports=(port,),
            stop_seconds=5,
        )

    def simulator(self, *arguments: str) -> Service:
        """Return the live producer with these arguments of `millrace produce`."""
        return Service(
            name="simulator",
            command=_python("cli", "produce", *arguments),
            ready=lambda: True,
            environment=self._environment(None),
            stop_seconds=5,
        )

    def job(self, name: str, *arguments: str) -> Service:
        """Return one `millrace` command that runs to its end, under supervision."""
        return replace(self.simulator(), name=name, command=_python("cli", *arguments), restart=False)

    def _worker(self, number: int) -> Service:
        name = f"ingest-{number}"
        asked = self.settings.ingest_metrics_port
        # `auto` is settled by each worker itself, so a busy port keeps none of them from starting.
        port = asked + number - 1 if isinstance(asked, int) and asked else asked
        state = self.home / "ingest" / f"{name}.json"

        def prepare() -> None:
            state.unlink(missing_ok=True)

        return Service(
            name=name,
            command=_python("cli", "ingest", "--name", name),
            ready=state.exists,
            environment=self._environment(ROLE_INGEST) | {"INGEST_METRICS_PORT": str(port)},
            ports=(port,) if isinstance(port, int) and port else (),
            prepare=prepare,
            stop_seconds=5,
        )

    def _environment(self, role: str | None) -> dict[str, str]:
        """Return what a process of ours needs to see the same stack, as the user of `role`."""
        settings = self.settings
        shared = {
            "MILLRACE_HOME": str(self.home),
            "KAFKA": settings.kafka,
            "KAFKA_BROKER_URL": settings.kafka_broker_url,
            "KAFKA_TOPIC": settings.kafka_topic,
            "KAFKA_FLUSH_INTERVAL": str(self._flush_seconds()),
            "CLICKHOUSE_HOST": settings.clickhouse_host,
            "CLICKHOUSE_PORT": str(settings.clickhouse_port),
            "DAGSTER_PORT": str(settings.dagster_port),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "DO_NOT_TRACK": "1",
        }
        if self.uses_slack_stand_in:
            shared["SLACK_API_URL"] = f"http://127.0.0.1:{self.slack_port}/api/"
        if role and self.owns_clickhouse:
            secret = passwords(self.home / "clickhouse")[role]
            shared |= {"CLICKHOUSE_USER": role, "CLICKHOUSE_PASSWORD": secret}
        return shared

    def _flush_seconds(self) -> float:
        is_default = "kafka_flush_interval" not in self.settings.model_fields_set
        return _LOCAL_FLUSH_SECONDS if is_default else self.settings.kafka_flush_interval

    def _memory_broker(self) -> Service:
        address = self.memory_address
        return Service(
            name="kafka",
            command=_python("local.kafka.memory", str(address)),
            ready=lambda: address.exists() and answers_kafka(address.read_text()),
            prepare=lambda: address.unlink(missing_ok=True),
            # Its events die with it and it comes back on another port: nobody could go on from there.
            restart=False,
        )

    @property
    def memory_address(self) -> Path:
        """Where the built-in broker writes its address."""
        return self.home / "kafka" / "memory.address"

    def _controller_port(self) -> int:
        """Return the controller's port of this data folder, chosen once: Kafka's metadata remembers it."""
        kept = self.home / "kafka" / "controller.port"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(str(free_ports(1)[0]))
        return int(kept.read_text())


def choose_kafka(settings: Settings) -> tuple[Settings, str | None]:
    """Return the settings to go on with, and a sentence on what it means when that is not a real Kafka."""
    is_elsewhere = settings.kafka_broker_url.rsplit(":", 1)[0] not in _LOOPBACK
    if settings.kafka == "memory":
        return settings, f"KAFKA=memory: {_MEANS}"
    if is_elsewhere or kafka_is_installed():
        return settings, None
    sentence = f"Apache Kafka is not installed (it needs Java 17 and Maven): {_MEANS}"
    return settings.model_copy(update={"kafka": "memory"}), sentence


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
