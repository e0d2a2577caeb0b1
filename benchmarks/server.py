"""A ClickHouse of a benchmark's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate


@contextmanager
def own_clickhouse() -> Iterator[Settings]:
    """Start a server in a temporary folder, with the project's tables; both are gone afterwards.

    Raises:
        Permanent: if it does not become ready.
    """
    http, native = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
        server = RunningService(clickhouse_service(Path(folder) / "server", http, native), Path(folder))
        server.start()
        try:
            server.wait_ready()
            settings = Settings.model_validate(
                {"clickhouse_host": "127.0.0.1", "clickhouse_port": http, "millrace_home": Path(folder)}
            )
            with connect(settings) as client:
                migrate(client, settings)
            yield settings
        finally:
            server.stop()
