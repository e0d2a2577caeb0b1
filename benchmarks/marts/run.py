"""One history: load it, build the marts, then time runs over new events when told to."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
from clickhouse_connect.driver.client import Client

from benchmarks.marts.load import LATE_DAYS, History
from benchmarks.marts.questions import ask
from contracts.clickhouse import connect
from contracts.settings import Settings
from local.clickhouse.config import MEMORY_LIMIT_BYTES
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate

NEW_EVENTS: Final = 50_000
RUNS: Final = 7
REBUILD_EVENTS: Final = 5_000_000
_REBUILD_BYTES: Final = 8_000_000_000
# To merge the whole of raw took 50 million events more than five minutes on a busy machine.
_MERGE_SECONDS: Final = 3_600
_BEHIND: Final = """
SELECT (SELECT sum(newest) FROM (SELECT max(kafka_offset) AS newest FROM raw.events GROUP BY kafka_partition))
     - (SELECT sum(kafka_offset) FROM ops.model_watermarks FINAL WHERE model = 'int_events')
"""
_MERGES: Final = "SELECT count() FROM system.merges"
_QUIET_SECONDS: Final = 10
# The partitions that the server has made one part of (`closed_partitions_in_one_part` of the dbt project): months,
# weeks and, of raw, days of landing that ended so long ago that no late event reaches them.
_CLOSED: Final = """
WITH
    length(partition_id) = 6 AS is_month,
    YYYYMMDDToDate(if(is_month, toUInt32(partition_id) * 100 + 1, toUInt32(partition_id))) AS begins
SELECT DISTINCT database, table, partition_id
FROM system.parts
WHERE active AND (database, table) IN (
    SELECT database, name FROM system.tables
    WHERE position(create_table_query, 'min_age_to_force_merge_on_partition_only') > 0
) AND if(
    database = 'raw', begins + 2, if(is_month, addMonths(begins, 1), begins + 7) + {late_days:UInt8}
) <= today()
ORDER BY database, table, partition_id
"""
_BYTES: Final = """
SELECT database, table, sum(bytes_on_disk), sum(rows) FROM system.parts
WHERE active AND database IN ('raw', 'intermediate') GROUP BY ALL ORDER BY 3 DESC
"""


def serve(events: int, commands: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Build a history of so many events, then do what each command asks, and yield what came of it.

    The first answer is of the building. Command `run` lands new events and times a materialization of all marts;
    any other ends it with the sizes on disk and the questions' times. The server has the local stack's memory, but
    more for the building, which takes REBUILD_EVENTS at a time.
    """
    history = History(events, NEW_EVENTS * (RUNS + 1))
    with tempfile.TemporaryDirectory(prefix="millrace-marts-") as folder:
        home, ports = Path(folder), free_ports(2)
        with _server(home, ports, _REBUILD_BYTES) as (client, pid):
            yield {"events": events} | _build(history, events, client, _Peak(pid))
        with _server(home, ports) as (client, pid):
            yield from _new_events(history, commands, client, _Peak(pid))


def _build(history: History, events: int, client: Client, peak: _Peak) -> dict[str, Any]:
    began = time.perf_counter()
    history.load(client, events)
    loaded = time.perf_counter()
    _run("--vars", f"{{run_events: {REBUILD_EVENTS}}}")
    while client.query(_BEHIND).result_rows[0][0] > 0:
        peak.look()
        _run("--vars", f"{{run_events: {REBUILD_EVENTS}}}")
    rebuilt = time.perf_counter()
    peak.look()
    _settle(client)
    return {
        "loaded_per_s": round(events / (loaded - began)),
        "rebuild_events_per_s": round(events / (rebuilt - loaded)),
        "rebuild_rss_max_mb": peak.mb,
    }


def _settle(client: Client) -> None:
    """Merge what the server would have merged by itself: this history took minutes, and stands for months."""
    for database, table, partition in client.query(_CLOSED, {"late_days": LATE_DAYS + 1}).result_rows:
        client.command(f"OPTIMIZE TABLE {database}.{table} PARTITION ID '{partition}' FINAL")


def _wait_for_merges(client: Client) -> None:
    """Let the merges end that the building left over: they are of its haste, not of the new events.

    Raises:
        RuntimeError: if they have not ended after _MERGE_SECONDS.
    """
    limit = time.monotonic() + _MERGE_SECONDS
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + _QUIET_SECONDS:
        if client.query(_MERGES).result_rows[0][0]:
            quiet_since = time.monotonic()
        if time.monotonic() > limit:
            raise RuntimeError(f"the server still merges after {_MERGE_SECONDS} s")
        time.sleep(0.2)


def _new_events(history: History, commands: Iterable[str], client: Client, peak: _Peak) -> Iterator[dict[str, Any]]:
    from orchestration.resources.dbt import preload  # noqa: PLC0415 - after the environment is set

    _wait_for_merges(client)
    preload()
    for command in commands:
        if command.strip() != "run":
            break
        history.load_new(client, NEW_EVENTS)
        seconds, by_model = _run()
        peak.look()
        yield {"run_s": seconds, "models_s": by_model}
    client.command("OPTIMIZE TABLE raw.events FINAL")
    sizes = client.query(_BYTES).result_rows
    yield {
        "clickhouse_rss_max_mb": peak.mb,
        "bytes": {f"{database}.{table}": [int(size), int(rows)] for database, table, size, rows in sizes},
        "query_p95_ms": ask(client),
    }


def _run(*arguments: str) -> tuple[float, dict[str, float]]:
    """Materialize all models in this process, as a warm worker does; return the seconds, in all and by model."""
    from orchestration.resources.dbt import InProcessDbt  # noqa: PLC0415 - after the environment is set

    began = time.perf_counter()
    results = InProcessDbt().invoke("run", arguments)
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
def _server(home: Path, ports: Sequence[int], memory_bytes: int = MEMORY_LIMIT_BYTES) -> Iterator[tuple[Client, int]]:
    http, native = ports
    server = RunningService(clickhouse_service(home / "server", http, native, memory_bytes), home)
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
        client = connect(settings, send_receive_timeout=_MERGE_SECONDS)
        migrate(client, settings)
        yield client, server.pid or 0
    finally:
        server.stop()
