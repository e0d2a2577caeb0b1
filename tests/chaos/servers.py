"""The two servers of a rig, and the doors through which each worker reaches them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from local.ports import free_ports
from local.servers import clickhouse_service, kafka_service
from local.service import Service
from tests.chaos.proxy import Proxy

PARTITIONS: Final = 8


@dataclass
class Door:
    """One worker's way to the servers: a proxy for each, which nobody else uses.

    Args:
        name: of the broker's listener behind `kafka`.
        listener: the port of that listener; it advertises the proxy's port.
    """

    name: str
    listener: int
    kafka: Proxy
    clickhouse: Proxy

    @classmethod
    def make(cls, number: int, http_port: int) -> Door:
        """Return a new door to ClickHouse at `http_port` and to a listener of its own."""
        listener = free_ports(1)[0]
        return cls(f"DOOR{number}", listener, Proxy(listener), Proxy(http_port, http=True))

    def heal(self) -> None:
        """Let both proxies pass everything on."""
        self.kafka.heal()
        self.clickhouse.heal()

    def close(self) -> None:
        """End both proxies."""
        self.kafka.close()
        self.clickhouse.close()


@dataclass(frozen=True)
class Servers:
    """A ClickHouse and a Kafka on free ports, with a door for each worker there can be."""

    clickhouse: Service
    kafka: Service
    http_port: int
    kafka_port: int
    doors: tuple[Door, ...]

    @classmethod
    def make(cls, home: Path, doors: int) -> Servers:
        """Return servers with their data below `home`; nothing is started but the proxies."""
        http, native, port, controller = free_ports(4)
        made = tuple(Door.make(number, http) for number in range(doors))
        kafka = with_doors(kafka_service(home / "kafka", port, controller, PARTITIONS), home, port, controller, made)
        return cls(clickhouse_service(home / "server", http, native), kafka, http, port, made)


def with_doors(kafka: Service, home: Path, port: int, controller: int, doors: tuple[Door, ...]) -> Service:
    """Return the broker with a listener for each door whose advertised address is the door's proxy."""
    own = f"PLAINTEXT://127.0.0.1:{port}"
    listeners = [own, f"CONTROLLER://127.0.0.1:{controller}"]
    listeners += [f"{door.name}://127.0.0.1:{door.listener}" for door in doors]
    advertised = [own, *(f"{door.name}://127.0.0.1:{door.kafka.port}" for door in doors)]
    protocols = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *(door.name for door in doors))]
    # A later line of the file wins over an earlier one of the same name.
    more = {
        "listeners": ",".join(listeners),
        "advertised.listeners": ",".join(advertised),
        "listener.security.protocol.map": ",".join(protocols),
        # A worker that sleeps past its session must cost a test seconds.
        "group.min.session.timeout.ms": "1000",
        # A broker that was killed may come back before its own controller noticed.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }

    def prepare() -> None:
        if kafka.prepare:
            kafka.prepare()
        with (home / "kafka" / "server.properties").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in more.items())

    return replace(kafka, prepare=prepare)
