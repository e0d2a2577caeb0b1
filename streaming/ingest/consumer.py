"""How a worker's consumer is set up, and what its owner must answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from confluent_kafka import TopicPartition

from contracts.settings import Settings
from streaming.ingest.chunks import Position
from streaming.ingest.records import Partition
from streaming.kafka.client import consumer_config


class Owner(Protocol):
    """Who has the events in hand that a source's partitions brought."""

    def settle(self, still_ours: bool) -> None:
        """Before partitions go: make what is in hand durable, or drop it (always when they are lost)."""


def ingest_config(settings: Settings, worker: str) -> dict[str, Any]:
    """Return the configuration of a worker's consumer: every consumer's, and what only ingest needs."""
    return consumer_config(settings) | {
        "client.id": f"millrace-{worker}",
        # The only sure sign of the end where markers of transactions take offsets of their own.
        "enable.partition.eof": True,
        # This prefetch and two batches are a worker's memory; more of it was no faster.
        "queued.max.messages.kbytes": 16_384,
        # One answer of the broker is compressed, up to 8 times smaller than what it unpacks to.
        "fetch.max.bytes": 2_097_152,
        "fetch.message.max.bytes": 1_048_576,
        # New partitions, and new topics of a pattern, are found when the metadata is asked for again; librdkafka's
        # default is five minutes.
        "topic.metadata.refresh.interval.ms": 10_000,
        # Kafka's own topics hold no events, whatever a pattern like ^.* says.
        "topic.blacklist": "^__.*",
        # An offset the broker does not have is looked into, not silently replaced by another.
        "auto.offset.reset": "error",
    }


def with_offsets(starts: Mapping[Partition, Position]) -> list[TopicPartition]:
    """Return the partitions with the offsets to read from."""
    return [TopicPartition(*partition, position.next_offset) for partition, position in starts.items()]
