"""How far the live models are behind the insert, and how fast they answer with an hour of events in them.

`python -m benchmarks.live`: an hour of 5,000 events/s is put into raw.events, then a worker and the simulator run
side by side while live_minute is polled. A row is visible when the answer has arrived in which the events of
live_minute reach its place in the order of landing: so each figure is too long by up to one question, never too
short. `live_p95_s` counts from the stamp that a batch gets before it is sent. A dashboard's questions are asked
meanwhile, under the same load.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner

from benchmarks.ingest.contestants import Program
from benchmarks.ingest.group import wait_for_assignment
from benchmarks.ingest.meter import Meter
from benchmarks.ingest.run import fresh_group
from benchmarks.ingest.servers import Servers, running_servers
from contracts.clickhouse import connect
from contracts.names import LIVE_MODELS
from contracts.settings import Settings
from local.paths import ROOT
from streaming.kafka.topics import ensure_topic
from streaming.produce.record import write_json

RATE: Final = 5_000
_POLL_SECONDS: Final = 0.05
_TAIL_SECONDS: Final = 4.0
_MERGE_SECONDS: Final = 120.0
_VISIBLE: Final = "SELECT sum(events) FROM live.live_minute WHERE minute > {since:DateTime('UTC')}"
_LANDED: Final = (
    "SELECT toUnixTimestamp64Milli(ingested_at) / 1e3 AS landed, toUnixTimestamp64Micro(event_time) / 1e6 "
    "FROM raw.events WHERE kafka_topic = 'bench-live' ORDER BY landed"
)
_LAST: Final = "minute > now('UTC') - INTERVAL {} MINUTE"
QUESTIONS: Final = {
    "minutes_of_the_last_hour": f"SELECT * FROM live.live_minute WHERE {_LAST.format(60)}",  # noqa: S608 - constants
    "totals_by_minute_30": (
        "SELECT minute, sum(events), sum(purchases), sum(revenue), sum(buying_sessions) / sum(sessions) "  # noqa: S608 - constants
        f"FROM live.live_minute WHERE {_LAST.format(30)} GROUP BY minute"
    ),
    "active_users": "SELECT * FROM live.live_active_users",
    "top_pages_30": (
        f"SELECT page, sum(views) AS views FROM live.live_top_pages WHERE {_LAST.format(30)} "  # noqa: S608 - constants
        "GROUP BY page ORDER BY views DESC LIMIT 10"
    ),
    "top_items_30": (
        "SELECT item_id, sum(interactions) AS interactions, sum(revenue) FROM live.live_top_items "  # noqa: S608 - constants
        f"WHERE {_LAST.format(30)} GROUP BY item_id ORDER BY interactions DESC LIMIT 10"
    ),
}
# One minute at the rate, in inserts of ten seconds; 20,000 users, 2,000 items, a few devices.
_MINUTE: Final = """
INSERT INTO raw.events (event_id, event_type, event_time, user_id, session_id, item_id, page_url, device_type, price,
    quantity, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, ingested_at)
WITH 20000 * pow(rand(1) / 4294967296, 2) AS u, 2000 * pow(rand(2) / 4294967296, 3) AS i, rand(3) % 1000 AS kind
SELECT generateUUIDv4(),
    multiIf(kind < 385, 'page_view', kind < 605, 'click', kind < 770, 'scroll', kind < 858, 'hover',
        kind < 924, 'add_to_cart', kind < 991, 'search', 'purchase'),
    fromUnixTimestamp64Micro(toInt64(({start:Float64} + number / {rate:Float64}) * 1000000)) AS at,
    concat('user_', toString(toUInt32(u))), concat('session_', toString(toUInt32(u))),
    if(kind % 10 < 6, concat('item_', toString(toUInt32(i))), ''),
    concat('https://shop.example/item/', toString(toUInt32(i))),
    ['desktop', 'mobile', 'tablet', ''][1 + (toUInt32(u) % 10 > 4) + (toUInt32(u) % 10 > 8) + (toUInt32(u) % 100 = 99)],
    toDecimal64(19.99, 6), 1, 'history', toUInt32(u) % 8, {offset:UInt64} + number, at, at + INTERVAL 1 SECOND
FROM numbers(toUInt64({rate:Float64} * 60))
SETTINGS max_block_size = 50000, min_insert_block_size_rows = 50000, max_threads = 1, max_insert_threads = 1"""


def main() -> None:
    """Fill, run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="of live events")
    parser.add_argument("--minutes", type=int, default=60, help="of events that are there before")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="millrace-live-") as home, running_servers(Path(home)) as servers:
        figures = measure(servers, arguments.seconds, arguments.minutes)
    figures |= {"load": round(before, 2), "cores": os.cpu_count()}
    target = ROOT / "var" / "bench" / "live.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, figures)
    for name, value in figures.items():
        sys.stdout.write(f"{name:28} {value}\n")


def measure(servers: Servers, seconds: float, minutes: int) -> dict[str, Any]:
    """Return seconds until visible and milliseconds of the questions, as percentiles.

    Raises:
        SystemExit: a process failed, or live does not reach raw.
    """
    client = connect(servers.settings)
    _build_models(servers.settings)
    _say(f"putting {minutes} minutes of {RATE:,} events/s into raw.events")
    began = time.time() - minutes * 60
    for minute in range(minutes):
        parameters = {"start": began + minute * 60, "rate": float(RATE), "offset": minute * RATE * 60}
        client.command(_MINUTE, parameters=parameters)
    _wait_for_merges(client)
    _say(f"{seconds:g} s of live events")
    settings = fresh_group(servers.settings, kafka_topic="bench-live")
    ensure_topic(settings)
    worker = Program(settings, "cli", "ingest", "--name", "bench-live")
    meter = Meter([servers.clickhouse_pid])
    try:
        wait_for_assignment(settings, settings.kafka_group_id)
        options = ("produce", "--rate", str(RATE), "--interval", "0.02", "--duration", f"{seconds:g}")
        producer = Program(settings, "cli", *options)
        seen, asked = _watch(servers.settings, client, producer, meter)
        producer.finish()
    finally:
        worker.ask_to_stop()
        worker.finish()
    return _figures(client, seen, asked) | _contents(client) | {"clickhouse_rss_max_mb": round(meter.rss_bytes / 2**20)}


def _wait_for_merges(client: Client) -> None:
    """Wait until the parts are merged, as those of an hour that came in an hour are long ago."""
    deadline = time.monotonic() + _MERGE_SECONDS
    while client.query("SELECT count() FROM system.merges").result_rows[0][0] and time.monotonic() < deadline:
        time.sleep(1)


def _build_models(settings: Settings) -> None:
    os.environ |= {
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "DBT_TARGET_PATH": str(settings.millrace_home / "target"),
        "DBT_LOG_PATH": str(settings.millrace_home / "log"),
    }
    folders = ["--project-dir", str(ROOT / "dbt_project"), "--profiles-dir", str(ROOT / "dbt_project")]
    done = dbtRunner().invoke(["--quiet", "run", "--select", *LIVE_MODELS, *folders])
    if not done.success:
        raise SystemExit(f"the live models could not be built: {done.exception}")


def _watch(
    settings: Settings, client: Client, producer: Program, meter: Meter
) -> tuple[list[tuple[float, int]], dict[str, list[float]]]:
    """Return when how many of the new events were visible in live_minute, and the milliseconds of each question."""
    asked: dict[str, list[float]] = defaultdict(list)
    stop = threading.Event()
    asking = threading.Thread(target=_ask, args=(connect(settings), asked, stop), daemon=True)
    asking.start()
    # The hour before ends where the filling began: minutes from now on hold only what is live.
    since = {"since": datetime.now(UTC) - timedelta(minutes=1)}
    seen = [(time.time(), 0)]
    ended = None
    while ended is None or time.monotonic() < ended + _TAIL_SECONDS:
        visible = int(client.query(_VISIBLE, parameters=since).result_rows[0][0])
        # The same wall clock as the events' stamps; a later one than the answer's, so no figure is too short.
        if visible > seen[-1][1]:
            seen.append((time.time(), visible))
        meter.sample()
        time.sleep(_POLL_SECONDS)
        if ended is None and producer.has_ended():
            ended = time.monotonic()
            stop.set()
    asking.join()
    return seen, asked


def _ask(client: Client, asked: dict[str, list[float]], stop: threading.Event) -> None:
    """Ask one question after the other, a few a second, as an open dashboard does."""
    while not stop.is_set():
        for name, query in QUESTIONS.items():
            began = time.perf_counter()
            client.query(query)
            asked[name].append((time.perf_counter() - began) * 1000)
            time.sleep(_POLL_SECONDS)


def _figures(client: Client, seen: list[tuple[float, int]], asked: dict[str, list[float]]) -> dict[str, Any]:
    rows = np.array(client.query(_LANDED).result_rows, dtype=np.float64)
    if not len(rows) or len(rows) - seen[-1][1] > len(rows) / 1000:
        raise SystemExit(
            f"live: {seen[-1][1]:,} of {len(rows):,} events were visible {_TAIL_SECONDS:g} s after the last"
        )
    moments, counts = np.array(seen).T
    # Hashes that fall together leave a few events out for good; the last sighting is of all the others.
    visible = moments[np.minimum(np.searchsorted(counts, np.arange(1, len(rows) + 1)), len(moments) - 1)]
    waited, aged = visible - rows[:, 0], visible - rows[:, 1]
    return {
        "events": len(rows),
        "events_not_counted": int(len(rows) - counts[-1]),
        "live_p50_s": _percentile(waited, 50),
        "live_p95_s": _percentile(waited, 95),
        "from_event_p50_s": _percentile(aged, 50),
        "from_event_p95_s": _percentile(aged, 95),
        "query_p50_ms": {name: _percentile(values, 50) for name, values in asked.items()},
        "query_p95_ms": {name: _percentile(values, 95) for name, values in asked.items()},
        "asked": min(len(values) for values in asked.values()),
    }


def _percentile(values: Any, rank: int) -> float:
    return round(float(np.percentile(values, rank)), 3)


def _contents(client: Client) -> dict[str, Any]:
    query = (
        "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts "
        "WHERE active AND database IN ('live', 'raw') AND table NOT LIKE '%epoch%' GROUP BY table"
    )
    sizes = {table: (int(rows), int(size)) for table, rows, size in client.query(query).result_rows}
    events = sizes.pop("events")
    live = sum(size for _, size in sizes.values())
    return {"raw_rows": events[0], "live_bytes_per_event": round(live / events[0], 1)}


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
