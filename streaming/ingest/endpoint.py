"""A worker's small HTTP server: its metrics for Prometheus, and how it is for whoever supervises it.

/metrics  what `contracts/metrics.py` lists
/live     200 unless the loop is stuck; one that waits for ClickHouse or Kafka is alive
/ready    200 when it moves events; 503 with the reason while it starts, waits or leaves
/health   all of it as JSON
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final, NamedTuple

from prometheus_client.exposition import choose_encoder

from contracts.errors import UserError
from contracts.settings import Settings
from streaming.ingest.exposition import WorkerMetrics
from streaming.ingest.health import Health

# OpenTelemetry's default for an application's own metrics, so scrape configurations often know it.
FIRST_PORT: Final = 9464
# Many more than the workers of one machine; beyond them any free port will do.
_AUTO_PORTS: Final = 100
# A client that sends nothing must not hold a thread for ever.
_CLIENT_SECONDS: Final = 5
_CLOSE_SECONDS: Final = 0.2

log = logging.getLogger("millrace.ingest")


class Answer(NamedTuple):
    """What one request gets."""

    status: int
    kind: str
    body: bytes


Routes = Mapping[str, Callable[[str], Answer]]


@contextmanager
def serving(settings: Settings, worker: str, health: Health) -> Iterator[None]:
    """Serve while the block runs; nothing where INGEST_METRICS_PORT is 0.

    Raises:
        UserError: the address or the port cannot be had; the message names the setting.
    """
    if settings.ingest_metrics_port == 0:
        yield
        return
    server = _open(settings, routes(worker, health))
    host, port = server.server_address[:2]
    health.endpoint = f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"
    log.info("metrics and health: %s/metrics", health.endpoint)
    thread = threading.Thread(target=server.serve_forever, args=(_CLOSE_SECONDS,), name="ingest-endpoint", daemon=True)
    thread.start()
    try:
        yield
    finally:
        health.endpoint = None
        server.shutdown()
        server.server_close()


def routes(worker: str, health: Health) -> Routes:
    """Return what each path answers, given the request's Accept header."""
    collector = WorkerMetrics(worker, health)

    def metrics(accept: str) -> Answer:
        encode, kind = choose_encoder(accept)
        return Answer(200, kind, encode(collector))

    def live(_: str) -> Answer:
        still = health.stuck_for
        return _text(503, f"stuck: no turn of the loop for {still:.0f} s") if still is not None else _text(200, "ok")

    def ready(_: str) -> Answer:
        reason = health.not_ready
        return _text(503, reason) if reason else _text(200, "ok")

    def report(_: str) -> Answer:
        body = json.dumps(_report(worker, health), indent=2, ensure_ascii=False)
        return Answer(200, "application/json", body.encode() + b"\n")

    return {"/metrics": metrics, "/live": live, "/ready": ready, "/health": report}


def _report(worker: str, health: Health) -> dict[str, Any]:
    standing, in_hand = health.standing, health.in_hand
    positions = [
        {"topic": place.topic, "partition": place.number, "next_offset": reading.next_offset, "lag": reading.lag}
        for place, reading in sorted(standing.readings.items())
    ]
    return {
        "worker": worker,
        "live": health.stuck_for is None,
        "ready": not health.not_ready,
        "not_ready_because": health.not_ready,
        **health.report(),
        "positions": positions,
        "unplaced": standing.unplaced,
        "paused": standing.paused,
        "in_hand": {"rows": in_hand.rows, "bytes": in_hand.bytes},
    }


def _text(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{text}\n".encode())


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
        answer = route(self.headers.get("Accept", "")) if route else _text(404, known)
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


def _open(settings: Settings, known: Routes) -> _Server:
    host, asked = settings.ingest_metrics_host, settings.ingest_metrics_port
    try:
        family, *_, found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UserError(f"INGEST_METRICS_HOST: {host} is no address of this machine: {error.strerror}") from error
    ports = (*range(FIRST_PORT, FIRST_PORT + _AUTO_PORTS), 0) if asked == "auto" else (asked,)
    for port in ports:
        try:
            return _Server(family, (found[0], port, *found[2:]), known)
        except OSError as error:
            refused = error
    raise UserError(
        f"INGEST_METRICS_PORT, INGEST_METRICS_HOST: port {asked} of {host} cannot be opened "
        f"({refused.strerror}); choose another, `auto` for the first free one, or 0 for none"
    ) from refused
