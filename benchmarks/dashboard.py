"""What the dashboard costs and how fast it is while ten people click: `python -m benchmarks.dashboard`.

A history of 10 million events is loaded and its marts are built. Then 2,000 events a second arrive through Kafka and a
worker, first with nobody at the dashboard, then with ten users, each of whom opens pages with all kinds of filters,
stays a few seconds, in which the page looks again as a browser's does, and goes on. `page_p95_ms` is the server's own
time for all data of a page, opened or looked at again; `lag_ratio_under_load` is the p95 of the seconds from an event's
time to its landing with users, divided by that without. The marts are not run meanwhile. Writes
var/bench/dashboard.json.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from clickhouse_connect.driver.client import Client

from benchmarks.ingest.contestants import Program
from benchmarks.ingest.group import wait_for_assignment
from benchmarks.ingest.meter import Meter
from benchmarks.ingest.run import fresh_group
from benchmarks.ingest.servers import Servers, running_servers
from benchmarks.marts.load import History
from contracts.clickhouse import connect
from contracts.names import ROLE_DASHBOARD
from contracts.settings import Settings
from dashboard.pages import PAGES
from local.clickhouse.config import passwords
from local.paths import ROOT
from local.ports import free_ports
from local.servers import answers_http
from local.service import RunningService, Service
from streaming.kafka.topics import ensure_topic
from streaming.produce.record import write_json

RATE: Final = 2_000
USERS: Final = 10
_TOPIC: Final = "bench-live"
_BUILD_RUNS: Final = 100
_BEHIND: Final = """
SELECT (SELECT sum(newest) FROM (SELECT max(kafka_offset) AS newest FROM raw.events GROUP BY kafka_partition))
     - (SELECT sum(kafka_offset) FROM ops.model_watermarks FINAL WHERE model = 'int_events')
"""
_CLOSED: Final = """
SELECT table, partition_id FROM system.parts
WHERE active AND database = 'intermediate' AND table IN (
    SELECT name FROM system.tables WHERE create_table_query LIKE '%min_age_to_force_merge_on_partition_only = 1%'
)
GROUP BY table, partition_id
HAVING max(greatest(max_date, toDate(max_time))) < today() - 1
"""
_DELAYS: Final = """
SELECT quantileExact(0.95)(toUnixTimestamp64Milli(ingested_at) / 1e3 - toUnixTimestamp64Micro(event_time) / 1e6)
FROM raw.events
WHERE kafka_topic = {topic:String}
    AND ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
"""
_RANGES: Final = {"live": ("30m", "30m", "1h", "6h"), "events": ("1h", "24h", "7d")}
_USUAL_RANGES: Final = ("24h", "7d", "7d", "7d", "30d", "all")
_WORDS: Final = (
    "running socks",
    "plush",
    "user=user-000013",
    "item=SKU-00086 AND event_type=purchase",
    "nothinglikeit",
)
# A reader looks at a page for so many seconds.
_REFRESH: Final = {page.name: page.refresh_seconds for page in PAGES}
_STAY_SECONDS: Final = (2.0, 6.0)


@dataclass
class Seen:
    """What the users saw: milliseconds of the server and of the whole request, by page, and refusals."""

    server: dict[str, list[float]] = field(default_factory=dict)
    whole: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def main() -> None:
    """Load, click, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000, help="of history")
    parser.add_argument("--seconds", type=float, default=120.0, help="of clicking")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="millrace-dashboard-") as home, running_servers(Path(home)) as servers:
        client = connect(servers.settings)
        _build(client, servers.settings, arguments.events)
        figures = _measure(servers, client, arguments.seconds)
    figures = {"events": arguments.events, "seconds": arguments.seconds, "users": USERS, "rate": RATE} | figures
    figures |= {"load_before": round(before, 2), "cores": os.cpu_count()}
    target = ROOT / "var" / "bench" / "dashboard.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, figures)
    for name, value in figures.items():
        sys.stdout.write(f"{name:24} {value}\n")


def _build(client: Client, settings: Settings, events: int) -> None:
    """Load the history and build its marts.

    Raises:
        SystemExit: a model failed.
    """
    _say(f"loading {events:,} events")
    History(events, 0).load(client, events)
    os.environ |= {
        "MILLRACE_HOME": str(settings.millrace_home),
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
    }
    from orchestration.resources.dbt import InProcessDbt  # noqa: PLC0415 - after the environment is set

    for number in range(_BUILD_RUNS):
        if number and client.query(_BEHIND).result_rows[0][0] <= 0:
            break
        _say(f"building the marts, run {number + 1}")
        failed = [each for each in InProcessDbt().invoke("run") if each.status not in {"success", "no-op"}]
        if failed:
            raise SystemExit(f"{failed[0].unique_id}: {failed[0].message}")
    _merge_closed(client)


def _merge_closed(client: Client) -> None:
    """Merge now what ClickHouse merges when nothing was written for hours (dbt_project/macros/engine.sql)."""
    for table, partition in client.query(_CLOSED).result_rows:
        client.command(f"OPTIMIZE TABLE intermediate.{table} PARTITION ID '{partition}' FINAL")


def _measure(servers: Servers, client: Client, seconds: float) -> dict[str, Any]:
    """Return the figures of both stretches: without users, and with."""
    settings = fresh_group(servers.settings, kafka_topic=_TOPIC)
    ensure_topic(settings)
    quiet = max(20.0, seconds / 4)
    worker = Program(settings, "cli", "ingest", "--name", _TOPIC)
    try:
        wait_for_assignment(settings, settings.kafka_group_id)
        duration = f"{quiet + seconds + 30:g}"
        producer = Program(settings, "cli", "produce", "--rate", str(RATE), "--duration", duration)
        _wait_for_rows(client)
        with _dashboard(servers.settings) as (address, pid):
            _say(f"{quiet:g} s without users")
            began = datetime.now(UTC)
            time.sleep(quiet)
            middle = datetime.now(UTC)
            _say(f"{seconds:g} s with {USERS} users")
            meter = Meter([pid])
            seen = _click(address, seconds, meter)
            ended = datetime.now(UTC)
        producer.ask_to_stop()
        producer.finish()
    finally:
        worker.ask_to_stop()
        worker.finish()
    alone, crowded = _delay(client, began, middle), _delay(client, middle, ended)
    return _figures(seen) | {
        "lag_p95_s": round(alone, 3),
        "lag_p95_under_load_s": round(crowded, 3),
        "lag_ratio_under_load": round(crowded / alone, 2),
        "dashboard_rss_max_mb": round(meter.rss_bytes / 2**20),
    }


def _wait_for_rows(client: Client) -> None:
    deadline = time.monotonic() + 60
    while not client.query(f"SELECT count() FROM raw.events WHERE kafka_topic = '{_TOPIC}'").result_rows[0][0]:  # noqa: S608 - our name
        if time.monotonic() > deadline:
            raise SystemExit("no live event landed within a minute")
        time.sleep(0.5)


@contextmanager
def _dashboard(settings: Settings) -> Iterator[tuple[str, int]]:
    """Run a dashboard as its own role; yields its address and process."""
    port = free_ports(1)[0]
    environment = {
        "DASHBOARD_PORT": str(port),
        "DASHBOARD_USERS": "",
        "CLICKHOUSE_USER": ROLE_DASHBOARD,
        "CLICKHOUSE_PASSWORD": passwords(settings.millrace_home / "server")[ROLE_DASHBOARD],
    }
    address = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "cli", "dashboard")
    service = Service("dashboard", command, lambda: answers_http(f"{address}/alive"), environment)
    running = RunningService(service, settings.millrace_home / "log")
    running.start()
    try:
        running.wait_ready()
        yield address, running.pid or 0
    finally:
        running.stop()


def _click(address: str, seconds: float, meter: Meter) -> Seen:
    seen, until = Seen(), time.monotonic() + seconds
    users = [threading.Thread(target=_user, args=(address, until, seen, number)) for number in range(USERS)]
    for user in users:
        user.start()
    while any(user.is_alive() for user in users):
        meter.sample()
        time.sleep(0.5)
    return seen


def _user(address: str, until: float, seen: Seen, number: int) -> None:
    """Open page after page; stay a while on each, in which it looks again."""
    chance = random.Random(number)  # noqa: S311 - clicks, not secrets
    while time.monotonic() < until:
        page, query = _choice(chance)
        _ask(f"{address}/{page}?{query}", page, seen)
        leave = min(until, time.monotonic() + chance.uniform(*_STAY_SECONDS))
        while time.monotonic() + _REFRESH[page] < leave:
            time.sleep(_REFRESH[page])
            _ask(f"{address}/data/{page}?{query}", page, seen)
        time.sleep(max(0.0, leave - time.monotonic()))


def _choice(chance: random.Random) -> tuple[str, str]:
    page = chance.choice(("live", *_REFRESH))
    query = {"range": chance.choice(_RANGES.get(page, _USUAL_RANGES))}
    if chance.random() < 0.5:  # noqa: PLR2004 - every other time
        query["device"] = chance.choice(("mobile", "desktop", "tablet"))
    if chance.random() < 0.3:  # noqa: PLR2004 - sometimes
        query["country"] = chance.choice(("US", "DE", "FR", "GB"))
    if page == "items" and chance.random() < 0.5:  # noqa: PLR2004 - every other time
        query["item"] = f"SKU-{chance.randrange(1000):05d}"
    if page == "events":
        query["q"] = chance.choice(_WORDS)
    return page, urlencode(query)


def _ask(url: str, page: str, seen: Seen) -> None:
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own address
            body = answer.read()
            server = float(answer.headers["Server-Timing"].partition("dur=")[2])
    except OSError as error:
        seen.failures.append(f"{page}: {error}")
        return
    seen.whole.append((time.perf_counter() - began) * 1000)
    seen.server.setdefault(page, []).append(server)
    if b'data-state="error"' in body or b'"state":"error"' in body:
        seen.failures.append(f"{page}: a panel has an error at {url}")


def _figures(seen: Seen) -> dict[str, Any]:
    server = [value for values in seen.server.values() for value in values]
    return {
        "pages": len(server),
        "page_p50_ms": _percentile(server, 50),
        "page_p95_ms": _percentile(server, 95),
        "page_p99_ms": _percentile(server, 99),
        "request_p95_ms": _percentile(seen.whole, 95),
        "page_p95_ms_by_page": {page: _percentile(values, 95) for page, values in sorted(seen.server.items())},
        "failures": len(seen.failures),
        "first_failures": seen.failures[:3],
    }


def _delay(client: Client, since: datetime, until: datetime) -> float:
    return float(client.query(_DELAYS, parameters={"topic": _TOPIC, "since": since, "until": until}).result_rows[0][0])


def _percentile(values: list[float], rank: int) -> float:
    return round(float(np.percentile(values, rank)), 1)


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


if __name__ == "__main__":
    main()
