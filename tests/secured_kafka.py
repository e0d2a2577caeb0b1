"""A real Kafka that speaks every security protocol, each on a port of its own, and the certificates for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from local.kafka.broker import KafkaBroker
from local.ports import free_ports
from local.servers import answers_kafka
from local.service import RunningService, Service

USER, PASSWORD, KEY_PASSWORD = "millrace", "correct-horse-battery", "key-pass-phrase"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# The listener's name and its security protocol; MUTUAL asks for a client's certificate as well.
LISTENERS = {"TLS": "SSL", "MUTUAL": "SSL", "SASLOPEN": "SASL_PLAINTEXT", "SASLTLS": "SASL_SSL"}
_PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass(frozen=True)
class Certificates:
    """PEM files: the broker's authority, one that nobody trusts, the broker's own, and two clients'."""

    ca: Path
    other_ca: Path
    server: Path
    client: Path
    client_key: Path
    locked_key: Path
    stranger: Path
    stranger_key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        """Write them below `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        files = cls(**{name: folder / f"{name}.pem" for name in cls.__dataclass_fields__})
        ours, theirs = trustme.CA(), trustme.CA()
        ours.cert_pem.write_to_path(files.ca)
        theirs.cert_pem.write_to_path(files.other_ca)
        server = ours.issue_cert("localhost", "127.0.0.1")
        files.server.write_bytes(_key(server, NoEncryption()) + server.cert_chain_pems[0].bytes())
        client, stranger = ours.issue_cert("client@millrace.test"), theirs.issue_cert("stranger@millrace.test")
        client.cert_chain_pems[0].write_to_path(files.client)
        files.client_key.write_bytes(_key(client, NoEncryption()))
        files.locked_key.write_bytes(_key(client, BestAvailableEncryption(KEY_PASSWORD.encode())))
        stranger.cert_chain_pems[0].write_to_path(files.stranger)
        files.stranger_key.write_bytes(_key(stranger, NoEncryption()))
        return files


def _key(certificate: trustme.LeafCert, lock: KeySerializationEncryption) -> bytes:
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


@dataclass
class SecuredKafka:
    """The running broker: a port for each listener, its certificates, and how to stop and start it."""

    ports: dict[str, int]
    certificates: Certificates
    server: RunningService

    def address(self, listener: str) -> str:
        """Return the bootstrap address of a listener."""
        return f"localhost:{self.ports[listener]}"


@contextmanager
def secured_kafka(home: Path) -> Iterator[SecuredKafka]:
    """Run one until the end of the block."""
    certificates = Certificates.make(home / "certificates")
    port, controller, *others = free_ports(2 + len(LISTENERS))
    ports = {"PLAINTEXT": port} | dict(zip(LISTENERS, others, strict=True))
    users = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in MECHANISMS[1:]]
    options = tuple(word for user in users for word in ("--add-scram", user))
    broker = KafkaBroker(home / "broker", port, controller, 4, _properties(ports, controller, certificates), options)
    server = RunningService(
        Service(
            name="secured-kafka",
            command=tuple(broker.command()),
            ready=lambda: answers_kafka(f"127.0.0.1:{port}"),
            ports=(*ports.values(), controller),
            prepare=broker.prepare,
        ),
        home,
    )
    server.start()
    try:
        server.wait_ready()
        yield SecuredKafka(ports, certificates, server)
    finally:
        server.stop()


def _properties(ports: dict[str, int], controller: int, certificates: Certificates) -> str:
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"} | LISTENERS
    listeners = [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]
    lines = [
        f"listeners={','.join(listeners)},CONTROLLER://127.0.0.1:{controller}",
        f"advertised.listeners={','.join(line.replace('127.0.0.1', 'localhost') for line in listeners)}",
        f"listener.security.protocol.map={','.join(f'{name}:{kind}' for name, kind in protocols.items())}",
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={certificates.server}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={certificates.ca}",
        "listener.name.mutual.ssl.client.auth=required",
        f"sasl.enabled.mechanisms={','.join(MECHANISMS)}",
    ]
    for name in ("saslopen", "sasltls"):
        lines.append(f"listener.name.{name}.plain.sasl.jaas.config={_PLAIN}")
        lines += [f"listener.name.{name}.{each.lower()}.sasl.jaas.config={_SCRAM}" for each in MECHANISMS[1:]]
    return "\n".join(lines) + "\n"
