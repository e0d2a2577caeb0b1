"""Where Kafka stands right now: the ends of the topics, their newest message, and who of the workers is alive."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined] # public, not exported

from contracts.settings import Settings
from contracts.topics import matching
from streaming.kafka.client import admin_config
from streaming.kafka.topics import mapped_errors

_SPEC: Any = _OffsetSpec  # its methods carry no types
Overdue: TypeAlias = dict[tuple[str, int], int]


@dataclass(frozen=True)
class Worker:
    """A member of the workers' group.

    It has sent a heartbeat within KAFKA_SESSION_TIMEOUT_MS, or the group would not have it any more.

    Args:
        name: as the worker calls itself.
        host: where it connects from.
        partitions: how many it reads, by topic.

    """

    name: str
    host: str
    partitions: dict[str, int]


@dataclass(frozen=True)
class Standing:
    """What the broker says.

    Args:
        ends: one past the last readable offset, by topic and partition.
        newest: when the newest message of a topic was made; only of topics that have one.
        workers: the living members of the group; None when the broker does not tell (the one in memory does not).

    """

    ends: dict[str, dict[int, int]]
    newest: dict[str, datetime]
    workers: list[Worker] | None


def kafka_standing(settings: Settings, seconds: float) -> Standing:
    """Ask the broker; each answer may take `seconds`.

    Raises:
        RetryLater: the broker does not answer.
        Permanent: it refuses.

    """
    admin = AdminClient(admin_config(settings), logger=logging.getLogger("millrace.kafka"))
    with mapped_errors("offsets and workers"):
        known = admin.list_topics(timeout=seconds).topics
        topics = {name: list(known[name].partitions) for name in matching(settings.topics, known)}
        ends = _offsets(admin, topics, _SPEC.latest(), seconds)
        return Standing(
            {topic: {number: answer.offset for number, answer in found.items()} for topic, found in ends.items()},
            _newest(admin, topics, seconds),
            _workers(admin, settings.kafka_group_id, seconds),
        )


def _offsets(admin: AdminClient, topics: dict[str, list[int]], which: Any, seconds: float) -> dict[str, dict[int, Any]]:
    wanted = {TopicPartition(topic, number): which for topic, numbers in topics.items() for number in numbers}
    found: dict[str, dict[int, Any]] = {topic: {} for topic in topics}
    if wanted:
        answers = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=seconds)
        for place, answer in answers.items():
            found[place.topic][place.partition] = answer.result()
    return found


def _newest(admin: AdminClient, topics: dict[str, list[int]], seconds: float) -> dict[str, datetime]:
    try:
        found = _offsets(admin, topics, _SPEC.max_timestamp(), seconds)
    except KafkaException:  # brokers before Kafka 3.0, and the one in memory, do not know the question
        return {}
    latest = {topic: max((answer.timestamp for answer in one.values()), default=-1) for topic, one in found.items()}
    return {topic: datetime.fromtimestamp(stamp / 1000, UTC) for topic, stamp in latest.items() if stamp > 0}


def _workers(admin: AdminClient, group: str, seconds: float) -> list[Worker] | None:
    try:
        described = admin.describe_consumer_groups([group], request_timeout=seconds)[group].result()
    except KafkaException:
        return None
    workers = [
        Worker(str(member.client_id).removeprefix(_PREFIX), str(member.host).lstrip("/"), _by_topic(member.assignment))
        for member in described.members
    ]
    return sorted(workers, key=lambda one: one.name)


_PREFIX: Final = "millrace-"


def _by_topic(assignment: Any) -> dict[str, int]:
    places: Iterable[TopicPartition] = assignment.topic_partitions if assignment else ()
    topics = [place.topic for place in places]
    return {topic: topics.count(topic) for topic in sorted(set(topics))}


def overdue(settings: Settings, landed: Mapping[str, Mapping[int, int]], before: datetime, seconds: float) -> Overdue:
    """Return how many messages Kafka had got before a moment that have not landed yet, by topic and partition.

    Args:
        settings: where the broker is, and which topics.
        landed: one past the highest landed offset, by topic and partition.
        before: the moment (zone-aware).
        seconds: how long each of the broker's answers may take.

    Returns:
        Only what is above 0. A message is older than the moment when it lies before the first that is as young.

    Raises:
        RetryLater: the broker does not answer.
        Permanent: it refuses.

    """
    admin = AdminClient(admin_config(settings), logger=logging.getLogger("millrace.kafka"))
    with mapped_errors("offsets by time"):
        known = admin.list_topics(timeout=seconds).topics
        topics = {name: list(known[name].partitions) for name in matching(settings.topics, known)}
        lows = _offsets(admin, topics, _SPEC.earliest(), seconds)
        ends = _offsets(admin, topics, _SPEC.latest(), seconds)
        young = _offsets(admin, topics, _SPEC.for_timestamp(round(before.timestamp() * 1000)), seconds)
    waiting: Overdue = {}
    for topic, found in ends.items():
        for number, end in found.items():
            first_young = young[topic][number].offset
            old_until = end.offset if first_young < 0 else first_young
            seen = max(landed.get(topic, {}).get(number, 0), lows[topic][number].offset)
            if old_until > seen:
                waiting[topic, number] = old_until - seen
    return waiting
