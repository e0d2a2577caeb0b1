"""What a broker's port speaks: TLS, SASL in the clear, or neither. Sends no secret."""

from __future__ import annotations

import socket
import struct
from typing import Final, Literal

from contracts.wire import speaks_tls

Wire = Literal["tls", "sasl", "plain"]

_SECONDS: Final = 1.0
_SASL_HANDSHAKE: Final = 17
_VERSION: Final = 1
_ILLEGAL_STATE: Final = 34  # what a listener without SASL answers to a handshake
_HEADER_BYTES: Final = 10  # size, correlation id, error code
# Kafka's request: size, then key, version, correlation id, no client id, and the mechanism asked for.
_BODY: Final = struct.pack(">hhihh5s", _SASL_HANDSHAKE, _VERSION, 1, -1, 5, b"PLAIN")
_QUESTION: Final = struct.pack(">i", len(_BODY)) + _BODY


def what_speaks(address: str) -> Wire | None:
    """Return what `host:port` speaks, or None when nothing there answers within a few seconds."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return None
    place = (host.strip("[]"), int(port))
    return _in_the_clear(place) or ("tls" if speaks_tls(*place) else None)


def _in_the_clear(place: tuple[str, int]) -> Wire | None:
    try:
        with socket.create_connection(place, _SECONDS) as connection:
            connection.sendall(_QUESTION)
            answer = connection.recv(_HEADER_BYTES, socket.MSG_WAITALL)
    except OSError:
        return None
    if len(answer) < _HEADER_BYTES:
        return None
    _, correlation, error = struct.unpack(">iih", answer)
    if correlation != 1:
        return None
    return "plain" if error == _ILLEGAL_STATE else "sasl"
