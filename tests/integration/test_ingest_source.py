"""Partitions that come and go while their start cannot be found, on a real Kafka and a real ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.errors import RetryLater
from contracts.settings import Settings
from streaming.ingest.epochs import Epochs
from streaming.ingest.offsets import Ledger
from streaming.ingest.source import Source
from tests.integration.ingest_tools import PARTITIONS, good, make_topic, produce, wait_until

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]


class Door:
    """The way to ClickHouse, which can be closed."""

    def __init__(self, client: Client) -> None:
        self.is_open = True
        self._client = client

    def __call__(self) -> Client:
        if not self.is_open:
            raise RetryLater("ClickHouse is away")
        return self._client


class NothingInHand:
    """What reads without writing owes nothing when partitions go."""

    def settle(self, still_ours: bool) -> None:
        """Do nothing."""


@contextmanager
def member(settings: Settings, name: str) -> Iterator[tuple[Source, Door]]:
    """A member of the group with a door of its own, subscribed and gone again at the end."""
    with connect(settings) as client:
        door = Door(client)
        epochs = Epochs(door, settings.kafka_group_id, name)
        source = Source(settings, name, Ledger(door), epochs, NothingInHand())
        source.missing_topics()
        source.subscribe()
        try:
            yield source, door
        finally:
            source.close()


def held(source: Source) -> tuple[int, int]:
    """How many partitions are placed, and how many are not."""
    return len(source.positions), len(source.unplaced)


def test_a_partition_that_left_before_its_start_was_known_is_read_when_it_comes_back(
    clickhouse: Client, make_settings: MakeSettings
) -> None:
    settings = make_settings()
    make_topic(settings)
    read: set[tuple[int, int]] = set()
    with member(settings, "first") as (first, door):
        door.is_open = False
        wait_until(lambda: not first.poll(100, 0.05) and held(first) == (0, PARTITIONS))
        with member(settings, "second") as (second, _):
            wait_until(
                lambda: (
                    not first.poll(100, 0.05)
                    and not second.poll(100, 0.05)
                    and held(first) == (0, PARTITIONS // 2)
                    and held(second) == (PARTITIONS // 2, 0)
                )
            )
        door.is_open = True
        # What the second had comes back to one that can find its start; the rest waits for `place` as before.
        wait_until(lambda: not first.poll(100, 0.05) and held(first) == (PARTITIONS // 2, PARTITIONS // 2))
        first.place()
        sent = produce(settings, good(40))

        def all_is_read() -> bool:
            read.update((message.partition(), message.offset()) for message in first.poll(100, 0.05))
            return len(read) >= len(sent)

        wait_until(all_is_read)
    assert sorted(read) == sent
