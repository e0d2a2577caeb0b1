"""Topics: create the one we need when it is missing, and say how many partitions it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contracts.clock import Clock, SystemClock
from contracts.errors import RetryLater
from contracts.settings import Settings
from streaming.kafka.client import admin_config, mapped
from streaming.kafka.refusal import Complaints, reach

# -1 leaves the replication factor to the broker: 1 on the local node, 3 on most clusters.
_BROKER_DEFAULT = -1


@contextmanager
def mapped_errors(doing: str) -> Iterator[None]:
    """Turn confluent-kafka's exceptions into `RetryLater` or `Permanent`; `doing` opens the sentence."""
    try:
        yield
    except KafkaException as error:
        raise mapped(error.args[0], doing) from error


def ensure_topic(settings: Settings, name: str | None = None, clock: Clock | None = None) -> int:
    """Create the topic when it is missing and return its number of partitions.

    Args:
        settings: the broker, and the number of partitions of a topic that is created here.
        name: the topic; the events' topic when None.
        clock: for the wait until the broker shows the new topic.

    Raises:
        RetryLater: the broker cannot be reached or does not show the new topic in time.
        Permanent: the broker refused (the password, a certificate, no right to create topics, a bad name).
        UserError: no name is given and the settings hold several topics or a pattern.
    """
    topic = name or settings.produced_topic
    complaints = Complaints(settings)
    timeout = settings.kafka_consumer_timeout_ms / 1000
    with mapped_errors(f"topic {topic}"):
        admin = AdminClient(admin_config(settings) | {"error_cb": complaints})
        known = reach(admin, complaints, timeout, f"topic {topic}").topics
        if settings.kafka == "memory":
            # The built-in broker has no controller to ask; a metadata request by name creates the topic.
            return _wait_for(admin, topic, timeout, clock or SystemClock())
        found = known.get(topic)
        if found is not None and found.error is None:
            return len(found.partitions)
        _create(admin, topic, settings.kafka_partitions, timeout)
        return _wait_for(admin, topic, timeout, clock or SystemClock())


def _create(admin: AdminClient, topic: str, partitions: int, timeout: float) -> None:
    new = NewTopic(topic, num_partitions=partitions, replication_factor=_BROKER_DEFAULT)
    try:
        admin.create_topics([new], request_timeout=timeout)[topic].result()
    except KafkaException as error:
        # Somebody else was quicker: the topic is there, which is all we want.
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def _wait_for(admin: AdminClient, topic: str, timeout: float, clock: Clock) -> int:
    deadline = clock.monotonic() + timeout
    while True:
        found = admin.list_topics(topic, timeout=timeout).topics.get(topic)
        if found is not None and found.error is None and found.partitions:
            return len(found.partitions)
        if clock.monotonic() >= deadline:
            raise RetryLater(f"Kafka: topic {topic}: the broker does not show it after {timeout:g} s")
        clock.sleep(0.1)
