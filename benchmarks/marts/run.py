"""One history: load it, build the marts, then time runs over new events when told to."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
from clickhouse_connect.driver.client import Client

from benchmarks.marts.load import History
from benchmarks.marts.questions import ask
from contracts.clickhouse import connect
from contracts.settings import Settings
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate

NEW_EVENTS: Final = 50_000
RUNS: Final = 7
_BEHIND: Final = """
SELECT (SELECT sum(newest) FROM (SELECT max(kafka_offset) AS newest FROM raw.events GROUP BY kafka_partition))
     - (SELECT sum(kafka_offset) FROM ops.model_watermarks FINAL WHERE model = 'int_events')
"""
_BYTES: Final = """
SELECT database, table, sum(bytes_on_disk), sum(rows) FROM system.parts
WHERE active AND database IN ('raw', 'intermediate') GROUP BY ALL ORDER BY 3 DESC
"""


def serve(events: int, commands: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Build a history of so many events, then do what each command asks, and yield what came of it.

    The first answer is of the building. Command `run` lands new events and times a materialization of all marts;
    any other ends it with the sizes on disk and the questions' times.
    """
    with tempfile.TemporaryDirectory(prefix="millrace-marts-") as folder, _server(Path(folder)) as (client, pid):
        history = History(events, NEW_EVENTS * (RUNS + 1))
        began = time.perf_counter()
        history.load(client, events)
        loading = time.perf_counter() - began
        peak = _Peak(pid)
        rebuild = _rebuild(client, peak)
        yield {
            "events": events,
            "loaded_per_s": round(events / loading),
            "rebuild_events_per_s": round(events / rebuild),
        }
        for command in commands:
            if command.strip() != "run":
                break
            history.load_new(client, NEW_EVENTS)
            seconds, by_model = _run()
            peak.look()
            yield {"run_s": seconds, "models_s": by_model}
        client.command("OPTIMIZE TABLE raw.events FINAL")
        yield {
            "clickhouse_rss_max_mb": peak.mb,
            "bytes": {
                f"{database}.{table}": [int(size), int(rows)]
                for database, table, size, rows in client.query(_BYTES).result_rows
            },
            "query_p95_ms": ask(client),
        }


def _rebuild(client: Client, peak: _Peak) -> float:
    """Run until nothing is left and return the seconds."""
    began = time.perf_counter()
    _run()
    while client.query(_BEHIND).result_rows[0][0] > 0:
        peak.look()
        _run()
    return time.perf_counter() - began


def _run() -> tuple[float, dict[str, float]]:
    """Materialize all models in this process, as a warm worker does; return the seconds, in all and by model."""
    from orchestration.resources.dbt import InProcessDbt  # noqa: PLC0415 - after the environment is set

    began = time.perf_counter()
    results = InProcessDbt().invoke("run")
    failed = [result for result in results if result.status not in {"success", "no-op"}]
    if failed:
        raise RuntimeError(f"{failed[0].unique_id}: {failed[0].message}")
    by_model = {result.unique_id.rsplit(".", 1)[-1]: result.seconds for result in results}
    return time.perf_counter() - began, by_model


class _Peak:
    """The largest memory the server was seen to have, in MB."""

    def __init__(self, pid: int) -> None:
        self._process, self.mb = psutil.Process(pid), 0

    def look(self) -> None:
        self.mb = max(self.mb, round(self._process.memory_info().rss / 1e6))


@contextmanager
def _server(home: Path) -> Iterator[tuple[Client, int]]:
    http, native = free_ports(2)
    server = RunningService(clickhouse_service(home / "server", http, native), home)
    server.start()
    try:
        server.wait_ready()
        settings = Settings.model_validate(
            {"millrace_home": home, "clickhouse_host": "127.0.0.1", "clickhouse_port": http}
        )
        os.environ |= {
            "MILLRACE_HOME": str(home),
            "CLICKHOUSE_HOST": "127.0.0.1",
            "CLICKHOUSE_PORT": str(http),
            "CLICKHOUSE_USER": "default",
            "CLICKHOUSE_PASSWORD": "",
        }
        client = connect(settings)
        migrate(client, settings)
        yield client, server.pid or 0
    finally:
        server.stop()
