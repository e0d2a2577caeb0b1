"""Configuration of every Kafka client, with the reason beside each option.

Keys are librdkafka's. The common part (where the broker is and how to speak to it) is shared, so a
cluster behind TLS or SASL is reached by environment variables alone, by every client alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError

from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings

# Errors that another try cannot cure: refused grant, broken configuration. A connection that could not be
# authenticated is judged in `refusal.py`: a broker that restarts looks like that, too.
_PERMANENT_CODES = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._INVALID_ARG,  # noqa: SLF001 - librdkafka's own codes have no public alias
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.POLICY_VIOLATION,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_REQUEST,
        KafkaError.UNSUPPORTED_VERSION,
    }
)


def common_config(settings: Settings) -> dict[str, Any]:
    """Return what every client shares: the broker's address and the way to speak to it."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_broker_url,
        "security.protocol": settings.kafka_security_protocol,
        # Shows on the broker's side who is connected.
        "client.id": "millrace",
        # What is wrong is said once by the error callbacks; librdkafka's own lines come dozens a second.
        "log_level": 2,
        # A broker that restarts comes back in seconds; librdkafka's default backs off to 10 s.
        "reconnect.backoff.max.ms": 2_000,
        # Small requests (metadata, offsets) must not wait behind Nagle's algorithm.
        "socket.nagle.disable": True,
    }
    optional: dict[str, str | Path | None] = {
        "ssl.ca.location": settings.kafka_ssl_cafile,
        "ssl.certificate.location": settings.kafka_ssl_certfile,
        "ssl.key.location": settings.kafka_ssl_keyfile,
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
    }
    config |= {key: str(value) for key, value in optional.items() if value is not None}
    secrets = {"sasl.password": settings.kafka_sasl_password, "ssl.key.password": settings.kafka_ssl_key_password}
    config |= {key: secret.get_secret_value() for key, secret in secrets.items() if secret is not None}
    return config


def producer_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration of a producer that neither loses nor repeats a message by itself."""
    return common_config(settings) | {
        # A retry after a lost answer must not write the message twice, nor reorder a key's events.
        "enable.idempotence": True,
        # Only an acknowledgement by all in-sync replicas survives the leader's death.
        "acks": "all",
        # Clickstream JSON shrinks to about a quarter, and lz4 costs the least CPU for that.
        "compression.type": "lz4",
        # Long enough to fill batches at load, short enough that nobody notices when live.
        "linger.ms": 20,
        "batch.size": 1_000_000,
        "batch.num.messages": 20_000,
        # Bounds memory while the broker is slow; a full queue makes the producer wait.
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 131_072,
        # Long enough to sit out a broker's restart; after it a failure is counted and reported.
        "delivery.timeout.ms": 120_000,
        # The same hash as Java clients: a key lands in the same partition whoever produces it.
        "partitioner": "murmur2_random",
    }


def consumer_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration of a worker's consumer, which owns its positions itself."""
    return common_config(settings) | {
        "group.id": settings.kafka_group_id,
        # An offset is done only after its rows are durable; committing on a timer would lie.
        "enable.auto.commit": False,
        # A new group reads everything there is; "latest" would skip what came before it.
        "auto.offset.reset": "earliest",
        # A worker that joins or leaves takes only its share; the others keep working.
        "partition.assignment.strategy": "cooperative-sticky",
        # Prefetch is memory: 64 MB a consumer is several batches, and bounds a slow writer.
        "queued.max.messages.kbytes": 65_536,
        "fetch.message.max.bytes": 4_194_304,
        # A tenth of a second is nothing to a batch that is written once a second, and fewer answers are a fifth of the
        # broker's processor time at 2,000 events a second.
        "fetch.min.bytes": 65_536,
        "fetch.wait.max.ms": 100,
        # When the prefetch queue was full, look again soon (default 1 s starves a fast worker).
        "fetch.queue.backoff.ms": 50,
        # A dead worker's partitions move after this long.
        "session.timeout.ms": settings.kafka_session_timeout_ms,
        # Three tries within the time-out, so that one lost heartbeat costs nothing.
        "heartbeat.interval.ms": settings.kafka_session_timeout_ms * 3 // 10,
        # An insert that waits for ClickHouse must not cost the worker its partitions at once.
        "max.poll.interval.ms": 300_000,
    }


def admin_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration of an admin client (topics, committed offsets)."""
    return common_config(settings) | {"socket.timeout.ms": max(settings.kafka_consumer_timeout_ms, 1_000)}


# librdkafka's words for what our users set by another name.
_OUR_NAMES = {
    "ssl.ca.location": "KAFKA_SSL_CAFILE",
    "ssl.certificate.location": "KAFKA_SSL_CERTFILE",
    "ssl.key.location": "KAFKA_SSL_KEYFILE (with KAFKA_SSL_KEY_PASSWORD and KAFKA_SSL_CERTFILE)",
    "sasl.mechanism": "KAFKA_SASL_MECHANISM",
    "security.protocol": "KAFKA_SECURITY_PROTOCOL",
}


def with_our_names(text: str) -> str:
    """Return librdkafka's `text` with the names of our settings in place of its options."""
    for theirs, ours in _OUR_NAMES.items():
        text = text.replace(theirs, ours)
    return text


def mapped(error: KafkaError, doing: str) -> RetryLater | Permanent:
    """Return the error to raise for `error`, named by what the caller can do about it."""
    text = f"Kafka: {doing}: {with_our_names(' '.join(str(error.str()).split()))}"
    if error.fatal() or error.code() in _PERMANENT_CODES:
        return Permanent(text)
    return RetryLater(text)
