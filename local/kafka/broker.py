"""Apache Kafka's configuration and command lines for the local stack."""

from __future__ import annotations

import base64
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import Permanent
from local.paths import kafka_jars

_HEAP = ("-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxDirectMemorySize=128m")
# Java's second compiler earns less than it costs in a local stack's hours: three million events took the broker 11 to
# 17 s of processor time with it and 9 without, and its start with the half minute after it 17 s and 8.
_COMPILER = "-XX:TieredStopAtLevel=1"

_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
num.partitions={partitions}
# Topics are made by the producer or by migrate, on purpose and with the right number of partitions.
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A local broker has one consumer group: do not make every start of a worker wait three seconds.
group.initial.rebalance.delay.ms=0
log.retention.hours=168
log.segment.bytes=268435456
num.network.threads=2
num.io.threads=4
"""


@dataclass(frozen=True)
class KafkaBroker:
    """One KRaft node on loopback.

    Args:
        home: folder for its configuration and data; it survives restarts.
        port: the clients' port; the controller listens on `controller_port`.
        partitions: partitions of a topic made without saying how many.
        extra: lines for the configuration's end; Java lets the last of two lines for one property win.
        format_options: more options for formatting the storage, such as SCRAM users.
    """

    home: Path
    port: int
    controller_port: int
    partitions: int = 8
    extra: str = ""
    format_options: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Write the configuration and format the storage on the first start; safe to repeat.

        Raises:
            Permanent: Kafka's storage tool refused; the message holds its last line.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        data = self.home / "data"
        self._properties.write_text(
            _PROPERTIES.format(
                controller=self.controller_port,
                port=self.port,
                data=data.resolve(),
                partitions=self.partitions,
            )
            + self.extra
        )
        if (data / "meta.properties").exists():
            return
        where = ("--standalone", "-t", _cluster_id(), "-c", str(self._properties))
        self._java("kafka.tools.StorageTool", "format", *where, *self.format_options)

    def command(self) -> list[str]:
        """Return the broker's command line."""
        return [*_java_command(*_HEAP, _COMPILER), "kafka.Kafka", str(self._properties)]

    @property
    def _properties(self) -> Path:
        return self.home / "server.properties"

    def _java(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*_java_command("-Xmx128m", _COMPILER), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
            raise Permanent(f"Kafka's storage could not be formatted in {self.home}: {lines[-1]}")
        return done


def _cluster_id() -> str:
    """Return what `StorageTool random-uuid` would, without starting Java for it: 16 bytes as URL-safe base64."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A value that begins with a dash would be taken for an option.
        if not made.startswith("-"):
            return made


def _java_command(*flags: str) -> list[str]:
    return [
        "java",
        *flags,
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{kafka_jars()}/*",
    ]
