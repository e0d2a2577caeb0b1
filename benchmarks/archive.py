"""How fast a day is archived, proven and restored, and how small it gets: `python -m benchmarks.archive`.

Fills raw.events of a ClickHouse of its own with the simulator's events, two million a day at most, and archives the
last day as `millrace archive run` does. Beside it, what the alternative would take: ClickHouse writing Parquet itself,
over HTTP. Prints the figures and writes `var/bench/archive.json`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil
from clickhouse_connect.driver.client import Client

from archive.contents import contents_on
from archive.drop import drop_old_days
from archive.place import Archive
from archive.readback import read_contents
from archive.restore import restore_day
from archive.tables import EVENTS, columns_of
from archive.write import archive_day
from benchmarks.search import blocks
from benchmarks.server import own_clickhouse
from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.settings import Settings
from local.paths import ROOT
from streaming.produce.record import write_json

_DAYS_AGO: Final = 5
_MEGABYTE: Final = 1_000_000
_PARQUET: Final = {"output_format_parquet_compression_method": "zstd", "output_format_parquet_row_group_size": 262_144}


def main() -> int:
    """Fill, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with own_clickhouse() as settings, connect(settings, compress=False, send_receive_timeout=3600) as client:
        report = measure(client, settings, rows)
    write_json(ROOT / "var" / "bench" / "archive.json", report)
    for name, figure in report.items():
        sys.stdout.write(f"{name:<40} {figure:>14,}\n")
    return 0


def measure(client: Client, settings: Settings, rows: int) -> dict[str, Any]:
    """Return the figures; seconds and events a second are wall-clock time of this machine."""
    day = datetime.now(UTC).date() - timedelta(days=_DAYS_AGO)
    _fill(client, day, rows)
    archive = Archive.of(settings, client, SystemClock())
    with _added_memory() as added:
        found = archive_day(archive, day)[0]
    columns = columns_of(client, EVENTS.name)
    names = [f"raw_events/day={day}/{path.name}" for path in Path(archive.store.root).rglob("raw_events/*/*.parquet")]
    theirs, clickhouse_seconds = _timed(lambda: contents_on(client, EVENTS.name, day, columns))
    ours, duckdb_seconds = _timed(lambda: read_contents(archive.store, names, columns))
    if theirs.difference(ours):
        raise SystemExit(f"the archive holds {theirs.difference(ours)}")
    size, alternative_seconds = _timed(lambda: _parquet_by_clickhouse(client, day))
    return {
        "events": found.rows,
        "bytes_per_event_parquet": round(found.bytes / found.rows, 1),
        "bytes_per_event_clickhouse": round(_on_disk(client, day) / found.rows, 1),
        "written_events_per_s": round(found.rows / found.written_seconds),
        "verified_events_per_s": round(found.rows / found.verified_seconds),
        "checksums_clickhouse_s": clickhouse_seconds,
        "checksums_duckdb_s": duckdb_seconds,
        "restored_events_per_s": _restored(archive, day),
        "written_by_clickhouse_events_per_s": round(found.rows / alternative_seconds),
        "bytes_per_event_by_clickhouse": round(size / found.rows, 1),
        "archiving_added_memory_mb": round(max(added) / _MEGABYTE),
    }


@contextmanager
def _added_memory() -> Iterator[list[int]]:
    """Yield a list that gets, every 20 ms, by how many bytes this process has grown since."""
    process, ended = psutil.Process(), threading.Event()
    before, found = process.memory_info().rss, [0]

    def watch() -> None:
        while not ended.wait(0.02):
            found.append(process.memory_info().rss - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _fill(client: Client, day: date, rows: int) -> None:
    end = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1, seconds=-1)
    for block in blocks(rows, end):
        client.insert_arrow(EVENTS.name, block)
    # As if the marts had read all of it: only then it may leave.
    client.command(
        "INSERT INTO ops.model_watermarks (model, kafka_topic, kafka_partition, kafka_offset, since) "
        "SELECT 'int_events', kafka_topic, kafka_partition, max(kafka_offset), now64(3) FROM raw.events GROUP BY ALL"
    )


def _restored(archive: Archive, day: date) -> int:
    """Drop the day, bring it back, and return events a second."""
    drop_old_days(archive, _DAYS_AGO - 1)
    done, seconds = _timed(lambda: restore_day(archive, day))
    return round(done[0].rows / seconds)


def _parquet_by_clickhouse(client: Client, day: date) -> int:
    query = f"SELECT * FROM {EVENTS.name} WHERE toDate(ingested_at) = {{day:Date}} ORDER BY {EVENTS.order}"  # noqa: S608
    stream: Any = client.raw_stream(query, parameters={"day": day}, settings=_PARQUET, fmt="Parquet")
    size = 0
    with tempfile.TemporaryFile() as file:
        while data := stream.read(_MEGABYTE):
            file.write(data)
            size += len(data)
    return size


def _on_disk(client: Client, day: date) -> int:
    client.command("OPTIMIZE TABLE raw.events FINAL")
    found = client.query(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'raw' AND table = 'events' "
        "AND partition_id = {id:String}",
        parameters={"id": f"{day:%Y%m%d}"},
    ).result_rows[0][0]
    return int(found)


def _timed(work: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    result = work()
    return result, round(time.perf_counter() - began, 2)


if __name__ == "__main__":
    sys.exit(main())
