from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from contracts.clock import ManualClock
from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from streaming.kafka.client import admin_config, consumer_config, mapped, producer_config
from streaming.kafka.topics import ensure_topic


def settings(**changes: object) -> Settings:
    return Settings(_env_file=None, **({"kafka_broker_url": "127.0.0.1:1", "kafka_consumer_timeout_ms": 300} | changes))


def test_librdkafka_accepts_every_option() -> None:
    for client, config in (
        (Producer, producer_config),
        (Consumer, consumer_config),
        (AdminClient, admin_config),
    ):
        client(config(settings()) | {"log_level": 0})


def test_a_producer_neither_loses_nor_repeats_and_a_consumer_never_commits_by_itself() -> None:
    producer, consumer = producer_config(settings()), consumer_config(settings(kafka_group_id="mine"))
    assert (producer["enable.idempotence"], producer["acks"]) == (True, "all")
    assert (consumer["enable.auto.commit"], consumer["auto.offset.reset"]) == (False, "earliest")
    assert (consumer["partition.assignment.strategy"], consumer["group.id"]) == ("cooperative-sticky", "mine")


@pytest.mark.parametrize("milliseconds", [1_000, 10_000, 300_000])
def test_the_session_time_out_leaves_time_for_three_heartbeats(milliseconds: int) -> None:
    found = consumer_config(settings(kafka_session_timeout_ms=milliseconds))
    assert found["session.timeout.ms"] == milliseconds > 3 * found["heartbeat.interval.ms"]
    Consumer(found | {"log_level": 0})


@pytest.mark.parametrize("config", [producer_config, consumer_config, admin_config])
def test_security_settings_reach_every_client(config) -> None:
    found = config(
        settings(
            kafka_security_protocol="SASL_SSL",
            kafka_ssl_cafile=Path("ca.pem"),
            kafka_sasl_mechanism="SCRAM-SHA-512",
            kafka_sasl_username="me",
            kafka_sasl_password="secret",
        )
    )
    assert (found["security.protocol"], found["ssl.ca.location"]) == ("SASL_SSL", "ca.pem")
    assert (found["sasl.mechanism"], found["sasl.username"], found["sasl.password"]) == (
        "SCRAM-SHA-512",
        "me",
        "secret",
    )


def test_without_security_no_security_option_is_set() -> None:
    assert not [name for name in producer_config(settings()) if name.startswith(("ssl.", "sasl."))]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._TRANSPORT, RetryLater),
        (KafkaError._TIMED_OUT, RetryLater),
        (KafkaError.LEADER_NOT_AVAILABLE, RetryLater),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Permanent),
        (KafkaError.SASL_AUTHENTICATION_FAILED, Permanent),
        (KafkaError.POLICY_VIOLATION, Permanent),
    ],
)
def test_an_error_is_named_by_what_the_caller_can_do(code: int, kind: type[Exception]) -> None:
    error = mapped(KafkaError(code), "topic t")
    assert type(error) is kind
    assert str(error).startswith("Kafka: topic t: ")


@pytest.mark.parametrize("kind", ["real", "memory"])
def test_a_topic_that_cannot_be_created_is_an_error_not_a_log_line(kind: str) -> None:
    with pytest.raises(RetryLater, match="topic clickstream_topic"):
        ensure_topic(settings(kafka=kind), clock=ManualClock())


def test_the_built_in_broker_makes_the_topic_with_its_own_partitions() -> None:
    holder = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none", "log_level": 0})
    found = next(iter(holder.list_topics(timeout=10).brokers.values()))
    here = settings(kafka="memory", kafka_broker_url=f"{found.host}:{found.port}", kafka_consumer_timeout_ms=5_000)
    assert ensure_topic(here) == 4
    assert ensure_topic(here, "another") == 4


@pytest.mark.kafka
def test_a_missing_topic_is_created_once_with_the_partitions_asked_for(kafka_server: str) -> None:
    real = settings(
        kafka_broker_url=kafka_server,
        kafka_topic="made-by-us",
        kafka_partitions=3,
        kafka_consumer_timeout_ms=10_000,
    )
    assert ensure_topic(real) == 3
    assert ensure_topic(real.model_copy(update={"kafka_partitions": 5})) == 3


@pytest.mark.kafka
def test_a_topic_that_a_broker_refuses_is_permanent(kafka_server: str) -> None:
    real = settings(kafka_broker_url=kafka_server, kafka_topic="...", kafka_consumer_timeout_ms=10_000)
    with pytest.raises(Permanent):
        ensure_topic(real.model_copy(update={"kafka_topic": ".."}))
