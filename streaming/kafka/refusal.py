"""Brokers that refuse us: which settings to look at, told from what librdkafka reports and a look at the port.

librdkafka takes every failure to connect as something that may pass: it tries for ever, and a call that needs
the broker ends in a time-out. What it knows comes through its error callback only.
"""

from __future__ import annotations

import re
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from contracts.errors import Permanent
from contracts.settings import Settings
from streaming.kafka.client import mapped, with_our_names
from streaming.kafka.probe import Wire, what_speaks

# Where a connection that was only cut looks like a refusal to librdkafka.
_UNCERTAIN: Final = re.compile(r"disconnected|timed out|timeout|connection reset|unexpected eof", re.IGNORECASE)
# The broker's words about the certificate that we showed, or did not show.
_ALERT: Final = re.compile(r"alert (\w+ )?(certificate|unknown ca|access denied|handshake failure)")
# librdkafka's own context around a reason: the address before it and the state after it.
_CONTEXT: Final = re.compile(r"^\w+://\S+: | \(after \d+ms in state \w+\)")
_ROUND_SECONDS: Final = 1.5


def refusal(error: KafkaError, settings: Settings) -> Permanent | None:
    """Return what to say of an error that means a refusal, or None when it may be something that passes."""
    text = " ".join(str(error.str()).split())
    if error.code() == KafkaError._AUTHENTICATION and not _UNCERTAIN.search(text):  # noqa: SLF001 - no public alias
        look = "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM"
        return _sentence(settings, "refuses the user", look, text)
    if _ALERT.search(text):
        look = "KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
        return _sentence(settings, "wants a client certificate that it trusts", look, text)
    if "certificate verify failed" in text:
        look = "KAFKA_SSL_CAFILE, and that the certificate names the host in KAFKA_BROKER_URL"
        return _sentence(settings, "shows a certificate that is not trusted", look, "certificate verify failed")
    if error.code() == KafkaError._SSL and not _UNCERTAIN.search(text):  # noqa: SLF001
        return _sentence(settings, "cannot be spoken to by TLS", "KAFKA_SECURITY_PROTOCOL and KAFKA_SSL_CAFILE", text)
    return None


class Complaints:
    """An error callback that keeps the first refusal.

    Args:
        settings: how the broker is reached.
    """

    def __init__(self, settings: Settings) -> None:
        self.refusal: Permanent | None = None
        self._settings = settings

    def __call__(self, error: KafkaError) -> None:
        """Take one report of librdkafka in."""
        self.refusal = self.refusal or refusal(error, self._settings)

    def explain(self) -> Permanent | None:
        """Return why the broker cannot be used, looking at its port when librdkafka has no reason."""
        return self.refusal or wrong_protocol(self._settings)


def reach(client: Any, complaints: Complaints, seconds: float, doing: str) -> Any:
    """Return the cluster's metadata on the first contact.

    Args:
        client: a client with `complaints` as its error callback; a consumer must not have subscribed yet.
        complaints: what that client has reported.
        seconds: how long to try when the broker does not answer; a refusal ends it at once.
        doing: opens the sentence of an error.

    Raises:
        RetryLater: the broker cannot be reached.
        Permanent: it refuses us; the message names the settings to look at.
    """
    left = seconds
    while True:
        this_round = min(_ROUND_SECONDS, left)
        try:
            return client.list_topics(timeout=this_round)
        except KafkaException as error:
            client.poll(0)
            refused = complaints.explain()
            if refused is not None:
                raise refused from error
            left -= this_round
            if left <= 0:
                raise mapped(error.args[0], doing) from error


def wrong_protocol(settings: Settings) -> Permanent | None:
    """Return what to say when the port speaks another protocol than the settings; None when it does not."""
    protocol = settings.kafka_security_protocol
    for address in settings.kafka_broker_url.split(","):
        wire = what_speaks(address.strip())
        if wire is None:
            continue
        allowed = _PROTOCOLS[wire]
        if protocol in allowed:
            return None
        return Permanent(
            f"Kafka at {address.strip()} {_SHOWS[wire]}, but KAFKA_SECURITY_PROTOCOL is {protocol}: "
            f"set it to {' or '.join(allowed)}, or correct KAFKA_BROKER_URL"
        )
    return None


_PROTOCOLS: Final[dict[Wire, tuple[str, ...]]] = {
    "tls": ("SSL", "SASL_SSL"),
    "sasl": ("SASL_PLAINTEXT",),
    "plain": ("PLAINTEXT",),
}
_SHOWS: Final[dict[Wire, str]] = {
    "tls": "speaks TLS",
    "sasl": "asks for a password and does not speak TLS",
    "plain": "speaks neither TLS nor SASL",
}


def _sentence(settings: Settings, does: str, look: str, reason: str) -> Permanent:
    plain = with_our_names(_CONTEXT.sub("", reason))
    return Permanent(f"Kafka at {settings.kafka_broker_url} {does}: look at {look} ({plain})")
