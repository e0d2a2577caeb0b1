"""How long `millrace events` takes, and what its index costs: `python -m benchmarks.search --rows 50000000`.

Fills raw.events of a ClickHouse of its own, made by the real migrations, with the simulator's events, two million a
day, decoded as ingest does and written in its blocks of 65,536. Prints the figures and writes `var/bench/search.json`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
from clickhouse_connect.driver.client import Client

from benchmarks.server import own_clickhouse
from contracts.clickhouse import connect
from contracts.clock import SystemClock
from local.paths import ROOT
from search.filters import parse
from search.query import Events, Search
from streaming.ingest.columns import MILLISECONDS, Landing, event_batch
from streaming.ingest.decode import Decoder
from streaming.produce.encode import Encoder
from streaming.produce.record import write_json
from streaming.produce.simulator import Timed, history, make_shop

_BLOCK: Final = 65_536
_CHUNK: Final = 4_096
_A_DAY: Final = 2_000_000
_USERS, _ITEMS, _PARTITIONS = 100_000, 1_000, 8
_SAMPLES: Final = 20
_COPIED: Final = 1_000_000
_ROUNDS: Final = 3
_SIZE: Final = """
SELECT sum(bytes_on_disk) / sum(rows), sum(secondary_indices_compressed_bytes) / sum(rows), count()
FROM system.parts WHERE active AND database = 'raw' AND table = 'events'"""
_BLOCKS: Final = (
    f" SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = {_BLOCK}, max_insert_block_size = {_BLOCK}, "
    f"min_insert_block_size_rows = {_BLOCK}, min_insert_block_size_bytes = 0"
)


def main() -> int:
    """Fill, measure, print and write; 1 when a search took a second or more at p95."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    rows = parser.parse_args().rows
    with own_clickhouse() as settings, connect(settings, send_receive_timeout=3600) as client:
        report = measure(client, rows)
    write_json(ROOT / "var" / "bench" / "search.json", report)
    for name, figure in report["searches"].items():
        _say(f"{name:<16} p50 {figure['p50_ms']:>7,} ms   p95 {figure['p95_ms']:>7,} ms   {figure['found']} found")
    _say(f"{report['bytes_per_event']} bytes an event, {report['index_bytes_per_event']} of them the index")
    _say(f"the index made inserts {report['insert_ratio']} and merges {report['merge_ratio']} times as long")
    return int(any(figure["p95_ms"] >= 1000 for figure in report["searches"].values()))  # noqa: PLR2004 - ms a second


def measure(client: Client, rows: int) -> dict[str, Any]:
    """Return the sizes, the searches' times and what the index costs."""
    began = time.perf_counter()
    end = datetime.now(UTC) - timedelta(seconds=30)
    picked: list[dict[str, Any]] = []
    for number, block in enumerate(blocks(rows, end)):
        client.insert_arrow("raw.events", block)
        picked.append(block.slice(number % block.num_rows, 1).to_pylist()[0])
    _plant(client, picked)
    client.command("OPTIMIZE TABLE raw.events FINAL")
    size, index, parts = client.query(_SIZE).result_rows[0]
    _say(f"{rows:,} events in {parts} parts, filled in {time.perf_counter() - began:.0f} s")
    searches = {name: timed(client, wheres) for name, wheres in questions(picked, client).items()}
    return {
        "rows": rows,
        "parts": int(parts),
        "bytes_per_event": round(size, 2),
        "index_bytes_per_event": round(index, 2),
        "searches": searches,
        **cost(client),
    }


def blocks(rows: int, end: datetime) -> Iterator[pa.Table]:
    """Yield `rows` events up to `end` as ingest would write them; each block landed at one moment."""
    shop = make_shop(seed=1, users=_USERS, items=_ITEMS)
    encoder, decoder = Encoder(shop), Decoder(SystemClock())
    start = end - timedelta(days=max(1.0, rows / _A_DAY))
    held: list[pa.RecordBatch] = []
    offset = size = 0
    for timed_events in history(shop, start, end, rows):
        for first in range(0, len(timed_events.events), _CHUNK):
            part = slice(first, first + _CHUNK)
            chunk = Timed(timed_events.events[part], timed_events.times[part])
            held.append(_decoded(encoder, decoder, chunk, offset))
            offset, size = offset + held[-1].num_rows, size + held[-1].num_rows
            if size >= _BLOCK:
                yield _landed(held)
                held, size = [], 0
    if held:
        yield _landed(held)


def _decoded(encoder: Encoder, decoder: Decoder, chunk: Timed, offset: int) -> pa.RecordBatch:
    messages = encoder.encode(chunk)
    columns, plain = decoder.plain(messages.values)
    count = len(plain)
    if count != len(messages.values):
        raise SystemExit("the fast path refused an event of the simulator")
    partitions = np.fromiter((hash(key) % _PARTITIONS for key in messages.keys), np.uint32, count)
    offsets = np.arange(offset, offset + count, dtype=np.int64)
    return event_batch(columns, Landing(["clickstream"] * count, partitions, offsets, chunk.times + 200))


def _landed(held: list[pa.RecordBatch]) -> pa.Table:
    table = pa.Table.from_batches(held)
    moment = pa.compute.max(table["kafka_timestamp"]).as_py() + timedelta(milliseconds=300)
    return table.append_column("ingested_at", pa.array([moment] * table.num_rows, MILLISECONDS))


def _plant(client: Client, picked: list[dict[str, Any]]) -> None:
    """Give events of some blocks, spread over the time, an order number that no other event has."""
    names = ["event_id", "event_type", "event_time", "user_id", "properties", "kafka_offset", "ingested_at"]
    rows = []
    for number, chosen in enumerate(_spread(picked)):
        event = chosen | {"properties": f'{{"order":{{"id":"ZX-{900_000 + number}"}}}}'}
        rows.append([event[name] for name in names])
    client.insert("raw.events", rows, column_names=names)


def _spread(picked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return picked[:: max(1, len(picked) // _SAMPLES)][:_SAMPLES]


def questions(picked: list[dict[str, Any]], client: Client) -> dict[str, list[str]]:
    """Return what is searched for by name, `_SAMPLES` times each with other values where there are."""
    events = _spread(picked)
    popular = "SELECT {0} FROM raw.events WHERE {0} != '' GROUP BY {0} ORDER BY count(), {0} LIMIT {1}"
    items = [row[0] for row in client.query(popular.format("item_id", _SAMPLES)).result_rows]
    pages = [row[0] for row in client.query(popular.format("page_url", _SAMPLES)).result_rows]
    queries = [row[0] for row in client.query(popular.format("search_query", _SAMPLES)).result_rows]
    return {
        "user": [f"user={event['user_id']}" for event in events],
        "session": [f"session={event['session_id']}" for event in events],
        "rarest items": [f"item={item}" for item in items],
        "rarest pages": [f"page_url={page}" for page in pages],
        "query words": [f'query~"{query}"' for query in queries],
        "property": [f"properties.order.id=ZX-{900_000 + number}" for number in range(len(events))],
        "free text": [f"text~ZX-{900_000 + number}" for number in range(len(events))],
        "frequent page": ["page=/"] * _SAMPLES,
        "what is not there": [f"session=none{number}" for number in range(_SAMPLES)],
    }


def timed(client: Client, wheres: list[str]) -> dict[str, float]:
    """Return percentiles of a search's time in milliseconds, and how many events the last one found."""
    took, rows = [], []
    for where in wheres:
        search, began = Search(parse([where])), time.perf_counter()
        rows = Events(lambda: client).find(search, datetime.now(UTC))
        took.append((time.perf_counter() - began) * 1000)
    return {
        "p50_ms": round(median(took)),
        "p95_ms": round(quantiles(took, n=20, method="inclusive")[-1]),
        "found": len(rows),
    }


def cost(client: Client) -> dict[str, float]:
    """Return how much longer inserts in ingest's blocks and their merge take with the index than without.

    Ingest leaves the index to the merges, which is `deferred`.
    """
    source = f"SELECT * FROM raw.events ORDER BY kafka_offset LIMIT {_COPIED}"  # noqa: S608 - a constant
    client.command(f"CREATE TABLE raw.source ENGINE = MergeTree ORDER BY kafka_offset AS {source}")
    for name in ("bare", "indexed", "deferred"):
        client.command(f"CREATE TABLE raw.{name} AS raw.events")
    client.command("ALTER TABLE raw.bare DROP INDEX words")
    took: dict[str, list[tuple[float, float]]] = {"bare": [], "indexed": [], "deferred": []}
    for _ in range(_ROUNDS):
        for name, seconds in took.items():
            seconds.append(_written(client, name))
    inserts, merges = ({name: min(one[step] for one in seconds) for name, seconds in took.items()} for step in (0, 1))
    return {
        "insert_us_per_event": round(inserts["bare"] * 1e6 / _COPIED, 2),
        "merge_us_per_event": round(merges["bare"] * 1e6 / _COPIED, 2),
        "insert_ratio_index_at_once": round(inserts["indexed"] / inserts["bare"], 2),
        "insert_ratio": round(inserts["deferred"] / inserts["bare"], 2),
        "merge_ratio": round(merges["deferred"] / merges["bare"], 2),
    }


def _written(client: Client, name: str) -> tuple[float, float]:
    """Return the seconds that inserting all rows took, and merging them into one part."""
    client.command(f"TRUNCATE TABLE raw.{name}")
    # Otherwise merges run beside the inserts, as many as time allows.
    client.command(f"SYSTEM STOP MERGES raw.{name}")
    deferred = ", exclude_materialize_skip_indexes_on_insert = 'words'" if name == "deferred" else ""
    began = time.perf_counter()
    client.command(f"INSERT INTO raw.{name} SELECT * FROM raw.source{_BLOCKS}{deferred}")  # noqa: S608 - constants
    inserted = time.perf_counter()
    client.command(f"SYSTEM START MERGES raw.{name}")
    client.command(f"OPTIMIZE TABLE raw.{name} FINAL")
    return inserted - began, time.perf_counter() - inserted


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
