"""When a consumer group has its partitions, seen from the broker: the moment every contestant's clock starts."""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from contracts.settings import Settings
from streaming.kafka.client import admin_config

_POLL_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 60.0


def wait_for_assignment(settings: Settings, group: str) -> float:
    """Return the monotonic time in seconds at which the group was first seen to own every partition.

    Raises:
        SystemExit: it does not within a minute.
    """
    admin = AdminClient(admin_config(settings))
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        if _is_assigned(admin, group, settings.kafka_partitions):
            return time.monotonic()
        time.sleep(_POLL_SECONDS)
    raise SystemExit(f"the group {group} was not given its partitions within {_LONGEST_SECONDS:g} s")


def _is_assigned(admin: AdminClient, group: str, partitions: int) -> bool:
    try:
        found = admin.describe_consumer_groups([group], request_timeout=5)[group].result()
    except KafkaException:  # the group does not exist yet
        return False
    if found.state == ConsumerGroupState.EMPTY:  # a topic so small that its readers are done and gone
        return True
    owned = sum(len(member.assignment.topic_partitions) for member in found.members)
    return bool(found.state == ConsumerGroupState.STABLE and owned >= partitions)
