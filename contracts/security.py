"""Security settings that contradict each other or name files that are not there, found before anything connects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contracts.settings import Settings

_SASL: Final = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
_SSL: Final = ("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile", "kafka_ssl_key_password")
_FILES: Final = ("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile", "clickhouse_ca_file")


def security_mistakes(settings: Settings) -> list[str]:
    """Return what is wrong, one sentence for each mistake, with the variables' names and no secret."""
    return [*_sasl(settings), *_ssl(settings), *_clickhouse(settings), *_files(settings)]


def _sasl(settings: Settings) -> Iterator[str]:
    protocol = settings.kafka_security_protocol
    given = [name for name in _SASL if getattr(settings, name) is not None]
    if protocol.startswith("SASL_"):
        missing = [name for name in _SASL if name not in given]
        if missing:
            yield f"KAFKA_SECURITY_PROTOCOL={protocol} needs {_names(missing)}"
    elif given:
        wanted = "SASL_SSL" if protocol == "SSL" else "SASL_PLAINTEXT or SASL_SSL"
        yield f"{_names(given)} without effect: KAFKA_SECURITY_PROTOCOL is {protocol}; set {wanted}, or take them away"


def _ssl(settings: Settings) -> Iterator[str]:
    protocol = settings.kafka_security_protocol
    given = [name for name in _SSL if getattr(settings, name) is not None]
    if given and not protocol.endswith("SSL"):
        wanted = "SASL_SSL" if protocol.startswith("SASL_") else "SSL or SASL_SSL"
        yield f"{_names(given)} without effect: KAFKA_SECURITY_PROTOCOL is {protocol}; set {wanted}, or take them away"
    if (settings.kafka_ssl_certfile is None) != (settings.kafka_ssl_keyfile is None):
        yield "KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE go together: only one is set"
    elif settings.kafka_ssl_key_password is not None and settings.kafka_ssl_keyfile is None:
        yield "KAFKA_SSL_KEY_PASSWORD is set, but there is no KAFKA_SSL_KEYFILE that it opens"


def _clickhouse(settings: Settings) -> Iterator[str]:
    if settings.clickhouse_ca_file is not None and not settings.clickhouse_secure:
        yield "CLICKHOUSE_CA_FILE without effect: CLICKHOUSE_SECURE is false"


def _files(settings: Settings) -> Iterator[str]:
    for name in _FILES:
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            yield f"{name.upper()}: there is no file {path}"
        elif path is not None and not os.access(path, os.R_OK):
            yield f"{name.upper()}: {path} may not be read by this user"


def _names(fields: list[str]) -> str:
    return ", ".join(field.upper() for field in fields)
