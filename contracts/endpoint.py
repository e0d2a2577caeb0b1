"""A small HTTP server inside a process of ours: its metrics for Prometheus, and how it is for whoever supervises it."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final, Literal, NamedTuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from contracts.errors import UserError

# Many more than the workers of one machine; beyond them any free port will do.
_AUTO_PORTS: Final = 100
# A client that sends nothing must not hold a thread for ever.
_CLIENT_SECONDS: Final = 5
_CLOSE_SECONDS: Final = 0.2

log = logging.getLogger("millrace.endpoint")


class Answer(NamedTuple):
    """What one request gets."""

    status: int
    kind: str
    body: bytes


Routes = Mapping[str, Callable[[str], Answer]]


@dataclass(frozen=True)
class Place:
    """Where to listen.

    Args:
        host: address of this machine.
        port: `auto` is the first free one from `first_port` on.
        setting: beginning of the two settings' names, for whoever has to change them.
        first_port: see `port`; None where a port has to be named.
    """

    host: str
    port: int | Literal["auto"]
    setting: str
    first_port: int | None = None


@contextmanager
def answering(place: Place, routes: Routes) -> Iterator[str]:
    """Answer in threads while the block runs; yield the address, as http://host:port.

    Args:
        place: where to listen.
        routes: what each path answers, given the request's Accept header.

    Raises:
        UserError: the address or the port cannot be had; the message names the setting.
    """
    server = _open(place, routes)
    host, port = server.server_address[:2]
    thread = threading.Thread(target=server.serve_forever, args=(_CLOSE_SECONDS,), name="endpoint", daemon=True)
    thread.start()
    try:
        yield f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"
    finally:
        server.shutdown()
        server.server_close()


def text(status: int, words: str) -> Answer:
    """Return an answer of plain text."""
    return Answer(status, "text/plain; charset=utf-8", f"{words}\n".encode())


def exposition(collector: Collector) -> Callable[[str], Answer]:
    """Return the route that answers a collector's metrics in the form that is asked for."""

    def metrics(accept: str) -> Answer:
        encode, kind = choose_encoder(accept)
        return Answer(200, kind, encode(collector))

    return metrics


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, family: socket.AddressFamily, address: Any, known: Routes) -> None:
        self.address_family = family
        self.routes = known
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which can take seconds where no name server answers."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class passes it
        """Log a bug of ours; a client that hung up or said nothing is not worth a line."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("a request of %s failed", client_address, exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    timeout = _CLIENT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer with the path's answer, or 404 with the paths there are."""
        route = self.server.routes.get(self.path.split("?")[0])
        known = f"not found; there are {', '.join(self.server.routes)}"
        answer = route(self.headers.get("Accept", "")) if route else text(404, known)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815 - the base class looks it up by this name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing at info: a scrape every few seconds would fill the log."""
        log.debug(format, *args)


def _open(place: Place, known: Routes) -> _Server:
    asked, first = place.port, place.first_port or 0
    try:
        family, *_, found = socket.getaddrinfo(place.host, 0, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        reason = f"{place.host} is no address of this machine: {error.strerror}"
        raise UserError(f"{place.setting}_HOST: {reason}") from error
    ports = (*range(first, first + _AUTO_PORTS), 0) if asked == "auto" else (asked,)
    for port in ports:
        try:
            return _Server(family, (found[0], port, *found[2:]), known)
        except OSError as error:
            refused = error
    choice = "choose another, `auto` for the first free one, or 0 for none" if first else "choose another"
    raise UserError(
        f"{place.setting}_PORT, {place.setting}_HOST: port {asked} of {place.host} cannot be opened "
        f"({refused.strerror}); {choice}"
    ) from refused
