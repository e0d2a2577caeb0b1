"""Whether a port speaks TLS, asked when a connection without it fails for no reason it names."""

from __future__ import annotations

import socket
import ssl
from typing import Final

_SECONDS: Final = 1.0


def speaks_tls(host: str, port: int) -> bool:
    """Tell whether `host:port` answers a TLS greeting within a few seconds; nothing else is sent."""
    context = ssl.create_default_context()
    # Who is there does not matter here, only what it speaks.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), _SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return True
    except (OSError, ValueError):  # ValueError: a name that cannot be a server's
        return False
