"""The two servers as services: ClickHouse and Kafka on given ports and folders."""

from __future__ import annotations

import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local.clickhouse.config import MEMORY_LIMIT_BYTES, write_config
from local.kafka.broker import KafkaBroker
from local.service import Service


def clickhouse_service(home: Path, http_port: int, native_port: int, memory_bytes: int = MEMORY_LIMIT_BYTES) -> Service:
    """Return ClickHouse with its data below `home`; the user `default` has no password on loopback."""
    config = home / "config.xml"
    command = (sys.executable, "-m", "local.clickhouse", str(config), str(http_port), str(native_port))

    def prepare() -> None:
        write_config(home, memory_bytes=memory_bytes)
        # This server forgets at its end that it has the log's table, and cannot make one over the files left behind.
        shutil.rmtree(home / "data" / "data" / "system" / "query_log", ignore_errors=True)

    return Service(
        name="clickhouse",
        command=(*command, str(home / "data")),
        ready=lambda: answers_http(f"http://127.0.0.1:{http_port}/ping"),
        ports=(http_port, native_port),
        prepare=prepare,
    )


def kafka_service(home: Path, port: int, controller_port: int, partitions: int) -> Service:
    """Return a one-node Apache Kafka with its data below `home`."""
    broker = KafkaBroker(home, port, controller_port, partitions)
    return Service(
        name="kafka",
        command=tuple(broker.command()),
        ready=lambda: answers_kafka(f"127.0.0.1:{port}"),
        ports=(port, controller_port),
        prepare=broker.prepare,
    )


def answers_http(url: str) -> bool:
    """Tell whether `url` answers 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (urllib.error.URLError, OSError):
        return False


def answers_kafka(bootstrap: str) -> bool:
    """Tell whether a broker at `bootstrap` answers a metadata request within a second."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        admin.list_topics(timeout=1)
    except KafkaException:
        return False
    return True
