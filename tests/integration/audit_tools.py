"""What the tests of the audit share: rows planted in the raw tables, and audits with and without Kafka."""

from __future__ import annotations

from collections.abc import Iterable

from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from audit.audit import AuditOptions, audit
from audit.broker import KafkaBroker
from audit.report import OffsetRange, PartitionAudit, Report
from contracts.settings import Settings

TOPIC = "planted"
_COLUMNS = ["kafka_topic", "kafka_partition", "kafka_offset"]


def plant(
    client: Client, offsets: Iterable[int], table: str = "raw.events", partition: int = 0, topic: str = TOPIC
) -> None:
    """Insert a row for each offset, with nothing in it but where it comes from."""
    rows = [[topic, partition, offset] for offset in offsets]
    client.insert(table, rows, column_names=_COLUMNS, settings={"insert_deduplicate": 0})


def planted(client: Client, topic: str = TOPIC) -> PartitionAudit:
    """Audit the only partition of a topic without Kafka."""
    (found,) = audit(client, [topic], None).partitions
    return found


def audited(client: Client, settings: Settings, options: AuditOptions | None = None) -> Report:
    """Audit the settings' topic with Kafka."""
    with KafkaBroker(settings) as broker:
        return audit(client, settings.topics, broker, options)


def numbers(ranges: Iterable[OffsetRange]) -> list[int]:
    """The offsets in the ranges."""
    return [number for each in ranges for number in range(each.first, each.last + 1)]


def send(settings: Settings, values: Iterable[bytes], partition: int = 0, **config: str) -> Producer:
    """Send the values to one partition."""
    producer = Producer({"bootstrap.servers": settings.kafka_broker_url, **config})
    for value in values:
        producer.produce(settings.kafka_topic, value, partition=partition)
    assert producer.flush(30) == 0
    return producer


def delete_row(client: Client, partition: int, offset: int) -> None:
    """Take one row out of raw.events, projection and all."""
    client.command(
        f"ALTER TABLE raw.events DELETE WHERE kafka_partition = {partition} AND kafka_offset = {offset} "
        "SETTINGS mutations_sync = 2"
    )
