"""A broker that dies and comes back costs the producer no event, and the user reads one line about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from local.demo.reckoning import read_record
from local.install import kafka_is_installed
from local.paths import ROOT
from local.ports import free_ports
from local.servers import kafka_service
from local.service import RunningService
from tests.integration.ingest_tools import wait_until
from tests.patience import WAIT_SECONDS

pytestmark = [pytest.mark.kafka, pytest.mark.skipif(not kafka_is_installed(), reason="needs Java 17 and Maven")]


def newest_offsets(address: str, topic: str) -> int:
    """Return how many messages the topic holds."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "looking"})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=10)[1] for each in partitions]
    consumer.close()
    return sum(ends)


def test_a_killed_broker_costs_no_event_and_is_told_once(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    broker = RunningService(kafka_service(tmp_path / "broker", port, controller, 2), tmp_path)
    broker.start()
    broker.wait_ready()
    address = f"localhost:{port}"
    environment = os.environ | {"KAFKA_BROKER_URL": address, "KAFKA_TOPIC": "outage", "MILLRACE_HOME": str(tmp_path)}
    command = [sys.executable, "-u", "-m", "cli", "produce", "--rate", "300", "--duration", "15"]
    producer = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        # The first part is written after some seconds.
        wait_until(lambda: producer.poll() is not None or any((tmp_path / "record").glob("*.parquet")))
        assert producer.poll() is None
        broker.kill()
        said = [producer.stdout.readline()]
        while "cannot be reached" not in said[-1]:
            assert said[-1], "it ended without a word about Kafka"
            said.append(producer.stdout.readline())
        broker.start()
        broker.wait_ready()
        rest, _ = producer.communicate(timeout=WAIT_SECONDS)
        assert producer.returncode == 0
        assert "is back" in rest
        assert "cannot be reached" not in rest
        assert "failed 0" in rest
        assert newest_offsets(address, "outage") == read_record(tmp_path / "record", ["offset"]).height >= 4_000
    finally:
        producer.kill()
        broker.stop()
