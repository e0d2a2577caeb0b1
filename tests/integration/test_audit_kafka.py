"""The audit with a real Kafka: a gap is loss only when a message lies in it, and a running worker is no fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from audit.audit import AuditOptions, audit
from audit.broker import KafkaBroker
from audit.gaps import LegalGaps
from contracts.settings import Settings
from tests.integration.audit_tools import audited, delete_row, numbers, plant, send
from tests.integration.ingest_tools import (
    PARTITIONS,
    good,
    ingest_all,
    make_topic,
    produce,
    running_worker,
    wait_until,
)

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    made = make_settings()
    make_topic(made)
    return made


def test_what_a_worker_did_is_complete_and_what_it_has_not_done_is_lag(clickhouse: Client, settings: Settings) -> None:
    produce(settings, [*good(40), b"bad", *good(40)])
    ingest_all(settings)
    report = audited(clickhouse, settings)
    assert (report.verdict, report.lag, report.kafka) == ("complete", 0, "asked")
    assert sum(each.events + each.letters for each in report.partitions) == 81
    produce(settings, good(6))
    assert audited(clickhouse, settings).lag == 6


def test_a_row_that_is_gone_is_missing_because_kafka_has_the_message(clickhouse: Client, settings: Settings) -> None:
    produce(settings, good(80))
    ingest_all(settings)
    delete_row(clickhouse, 2, 7)
    report = audited(clickhouse, settings)
    assert [numbers(each.missing.ranges) for each in report.partitions] == [[], [], [7], []]
    assert (report.verdict, report.lost) == ("broken", 1)


def transactions(settings: Settings) -> None:
    """Ten events in partition 0, of which four are aborted; a marker ends each transaction."""
    producer = send(settings, [], **{"transactional.id": settings.kafka_topic})
    producer.init_transactions(30)
    commit, abort = producer.commit_transaction, producer.abort_transaction
    for events, end in ((3, commit), (4, abort), (3, commit)):
        producer.begin_transaction()
        for value in good(events):
            producer.produce(settings.kafka_topic, value, partition=0)
        producer.flush(30)
        end()


def test_markers_and_aborted_messages_are_legal_gaps(clickhouse: Client, settings: Settings) -> None:
    transactions(settings)
    ingest_all(settings)
    found = audited(clickhouse, settings).partitions[0]
    assert (found.verdict, found.events, found.lag) == ("complete", 6, 0)
    assert numbers(found.legal.ranges) == [3, 4, 5, 6, 7, 8]


def test_a_loss_beside_a_legal_gap_is_told_apart(clickhouse: Client, settings: Settings) -> None:
    transactions(settings)
    ingest_all(settings)
    delete_row(clickhouse, 0, 9)
    found = audited(clickhouse, settings).partitions[0]
    assert (numbers(found.missing.ranges), numbers(found.legal.ranges)) == ([9], [3, 4, 5, 6, 7, 8])


def test_gaps_once_found_legal_are_not_asked_again(clickhouse: Client, settings: Settings) -> None:
    transactions(settings)
    ingest_all(settings)
    known = LegalGaps()
    with KafkaBroker(settings) as broker:
        audit(clickhouse, settings.topics, broker, legal=known)
    found = audit(clickhouse, settings.topics, None, legal=known).partitions[0]
    assert (found.verdict, found.legal.total) == ("complete", 6)
    delete_row(clickhouse, 0, 9)
    again = audit(clickhouse, settings.topics, None, legal=known).partitions[0]
    assert (numbers(again.unchecked.ranges), again.legal.total) == ([9], 6)


def test_letters_behind_a_marker_are_done(clickhouse: Client, settings: Settings) -> None:
    transactions(settings)
    send(settings, [b"bad", b"bad"])
    ingest_all(settings)
    found = audited(clickhouse, settings).partitions[0]
    assert (found.mark, found.done, found.in_hand, found.lag, found.verdict) == (11, 14, 0, 0, "complete")


def test_what_kafka_deleted_before_it_was_read_is_reported_apart(clickhouse: Client, settings: Settings) -> None:
    send(settings, good(10))
    ingest_all(settings)
    send(settings, good(10))
    admin = AdminClient({"bootstrap.servers": settings.kafka_broker_url})
    place = TopicPartition(settings.kafka_topic, 0, 15)
    admin.delete_records([place])[place].result()
    ingest_all(settings)
    found = audited(clickhouse, settings).partitions[0]
    assert (numbers(found.gone.ranges), found.low) == ([10, 11, 12, 13, 14], 15)
    assert (found.verdict, found.lost) == ("unproven", 0)


def test_messages_before_the_first_that_was_read_are_missing_unless_reading_began_late(
    clickhouse: Client, settings: Settings
) -> None:
    send(settings, good(10))
    plant(clickhouse, range(4, 10), topic=settings.kafka_topic)
    found = audited(clickhouse, settings).partitions[0]
    assert (numbers(found.not_read.ranges), found.verdict) == ([0, 1, 2, 3], "broken")
    late = audited(clickhouse, settings, AuditOptions(start="latest")).partitions[0]
    assert (late.not_read.total, late.lost, late.verdict) == (4, 0, "complete")


def test_rows_beyond_the_topics_end_show_that_it_was_created_anew(clickhouse: Client, settings: Settings) -> None:
    send(settings, good(5))
    plant(clickhouse, range(8), topic=settings.kafka_topic)
    found = audited(clickhouse, settings).partitions[0]
    assert (found.beyond_end, found.end, found.verdict) == (3, 5, "broken")


def test_letters_whose_events_are_still_to_come_leave_the_lag(clickhouse: Client, settings: Settings) -> None:
    send(settings, [*good(3), b"bad", *good(1)])
    plant(clickhouse, [3], "raw.dead_letters", topic=settings.kafka_topic)
    found = audited(clickhouse, settings).partitions[0]
    assert (found.verdict, found.done, found.in_hand, found.lag) == ("complete", None, 1, 5)


@pytest.mark.slow
def test_what_compaction_removed_is_a_legal_gap(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    admin = AdminClient({"bootstrap.servers": settings.kafka_broker_url})
    config = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"}
    new = NewTopic(settings.kafka_topic, num_partitions=PARTITIONS, replication_factor=1, config=config)
    admin.create_topics([new])[settings.kafka_topic].result()
    with KafkaBroker(settings) as broker:

        def is_compacted() -> bool:
            produce(settings, good(4))  # a segment that is still written to is not compacted
            broker.bounds(settings.kafka_topic)
            # More than the first: the gap has to lie behind the row that is planted below.
            return (broker.first_message(settings.kafka_topic, 0, 0) or 0) > 1

        wait_until(is_compacted)
    plant(clickhouse, [0], topic=settings.kafka_topic)
    ingest_all(settings)
    found = audited(clickhouse, settings).partitions[0]
    assert (found.verdict, found.legal.ranges[0].first) == ("complete", 1)


def test_no_false_alarm_while_workers_write(clickhouse: Client, settings: Settings) -> None:
    values = [b"bad" if number % 7 == 0 else value for number, value in enumerate(good(600))]
    with KafkaBroker(settings) as broker, running_worker(settings), running_worker(settings):
        for _ in range(12):
            produce(settings, values)
            for _ in range(5):
                report = audit(clickhouse, settings.topics, broker)
                assert report.verdict == "complete", report
        wait_until(lambda: audit(clickhouse, settings.topics, broker).lag == 0)
    assert sum(each.events + each.letters for each in audited(clickhouse, settings).partitions) == 12 * 600
