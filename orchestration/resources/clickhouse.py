"""ClickHouse for sensors, checks and row counts: short time-outs, so that a tick never hangs."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect, mapped_errors
from contracts.settings import load_settings

CONNECT_SECONDS = 2
ANSWER_SECONDS = 15


class ClickHouse(dg.ConfigurableResource[None]):
    """A client for the settings' server, made for each use and closed after it.

    Nothing is kept open: the warm process forks, and a socket shared by two processes is a bug.
    """

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Yield a client.

        Raises:
            RetryLater: the server cannot be reached or is busy.
            Permanent: the server refused.

        """
        client = connect(
            load_settings(),
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=ANSWER_SECONDS,
            client_name="millrace-orchestration",
        )
        try:
            with mapped_errors():
                yield client
        finally:
            client.close()

    @property
    def address(self) -> str:
        """Where the server is expected, as host:port."""
        settings = load_settings()
        return f"{settings.clickhouse_host}:{settings.clickhouse_port}"
