"""HTTPS in front of a server that speaks HTTP: what a load balancer or a ClickHouse with a certificate shows."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def tls_proxy(target: int, certificate: Path) -> Iterator[int]:
    """Pass TLS on to `target` on loopback, without it; yields the port.

    Args:
        target: port of the plain server.
        certificate: PEM file with the key and the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):  # the listener was closed: the test is over
            while True:
                near, _ = listener.accept()
                threading.Thread(target=_serve, args=(context, near, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(context: ssl.SSLContext, near: socket.socket, target: int) -> None:
    try:
        safe = context.wrap_socket(near, server_side=True)
        far = socket.create_connection(("127.0.0.1", target))
    except OSError:  # the client does not trust us, or speaks no TLS
        near.close()
        return
    threading.Thread(target=_pump, args=(far, safe), daemon=True).start()
    _pump(safe, far)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
