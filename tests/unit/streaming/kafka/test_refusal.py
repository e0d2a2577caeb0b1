"""What librdkafka reports means a refusal, or something that passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from local.ports import free_ports
from streaming.ingest.epochs import Epochs
from streaming.ingest.offsets import Ledger
from streaming.ingest.source import Source
from streaming.kafka.probe import what_speaks
from streaming.kafka.refusal import refusal

SETTINGS = Settings(_env_file=None, kafka_broker_url="127.0.0.1:1")
WRONG_PASSWORD = KafkaError(
    KafkaError._AUTHENTICATION,
    "sasl_ssl://b:1/1: SASL authentication error: Authentication failed (after 1ms in state AUTH_REQ)",
)


@pytest.mark.parametrize(
    ("code", "text", "setting"),
    [
        (KafkaError._AUTHENTICATION, "SASL authentication error: Authentication failed", "KAFKA_SASL_PASSWORD"),
        (KafkaError._SSL, "SSL handshake failed: certificate verify failed: no issuer", "KAFKA_SSL_CAFILE"),
        (KafkaError._TRANSPORT, "ssl/tls alert bad certificate: SSL alert number 42", "KAFKA_SSL_CERTFILE"),
        (KafkaError._TRANSPORT, "tlsv13 alert certificate required: SSL alert number 116", "KAFKA_SSL_CERTFILE"),
        (KafkaError._SSL, "SSL handshake failed: no protocols available", "KAFKA_SECURITY_PROTOCOL"),
    ],
)
def test_a_refusal_names_the_setting(code: int, text: str, setting: str) -> None:
    assert setting in str(refusal(KafkaError(code, text), SETTINGS))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (KafkaError._AUTHENTICATION, "SASL authentication failure: Disconnected: check credentials and broker logs"),
        (KafkaError._SSL, "SSL handshake failed: unexpected EOF while reading"),
        (KafkaError._TRANSPORT, "Connect to ipv4#127.0.0.1:9092 failed: Connection refused"),
        (KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"),
    ],
)
def test_what_a_restarting_broker_causes_is_no_refusal(code: int, text: str) -> None:
    assert refusal(KafkaError(code, text), SETTINGS) is None


def test_a_refusal_leaves_librdkafkas_own_words_out() -> None:
    text = str(refusal(WRONG_PASSWORD, SETTINGS))
    assert ("in state" in text, "sasl_ssl://" in text) == (False, False)


def test_a_worker_that_was_let_in_before_waits_and_says_why() -> None:
    source = Source(SETTINGS, "w", Ledger(None), Epochs(None, "g", "w"), None)  # type: ignore[arg-type] # never asked here
    source._was_reached = True
    source._on_error(WRONG_PASSWORD)
    source._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert (source._failure, "KAFKA_SASL_PASSWORD" in str(source.trouble)) == (None, True)
    source.check_broker()
    assert "KAFKA_SASL_PASSWORD" in str(source.trouble)
    source.close()


def test_a_broker_that_is_away_is_no_reason_to_give_up() -> None:
    source = Source(SETTINGS, "w", Ledger(None), Epochs(None, "g", "w"), None)  # type: ignore[arg-type] # never asked here
    with pytest.raises(RetryLater):
        source.missing_topics(0.2)
    source.close()


def test_a_port_where_nobody_listens_speaks_nothing() -> None:
    assert what_speaks(f"127.0.0.1:{free_ports(1)[0]}") is None
    assert what_speaks("no-port") is None


def test_the_key_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key")
    given = {"kafka_security_protocol": "SSL", "kafka_ssl_keyfile": tmp_path / "key.pem"}
    with pytest.raises(Permanent, match="KAFKA_SSL_KEYFILE"):
        Source(SETTINGS.model_copy(update=given), "w", Ledger(None), Epochs(None, "g", "w"), None)  # type: ignore[arg-type]
