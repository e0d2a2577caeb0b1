"""Serve the dashboard until it is told to stop."""

from __future__ import annotations

import socket

import uvicorn

from contracts.clock import SystemClock
from contracts.errors import UserError
from contracts.settings import Settings
from dashboard.app import make_app

_STOP_SECONDS = 2


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve on `host` and `port` until SIGINT or SIGTERM.

    Raises:
        UserError: the address or the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"the dashboard cannot listen on {host}:{port} ({error.strerror or error}); "
            "set DASHBOARD_HOST or DASHBOARD_PORT"
        ) from None
    config = uvicorn.Config(
        make_app(settings, SystemClock()),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
