"""How long an audit takes on many rows: `python -m benchmarks.audit --millions 20`.

Fills raw.events of a ClickHouse of its own with INSERT … SELECT, as many rows a part as ingest makes, then times the
audit of a sound table, and of one where a row is missing and another is there twice. Kafka is not asked. Prints the
figures and writes `var/bench/audit.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Final

from clickhouse_connect.driver.client import Client

from audit.audit import audit
from benchmarks.server import own_clickhouse
from contracts.clickhouse import connect
from local.paths import ROOT

_TOPIC: Final = "bench"
_PARTITIONS: Final = 8
_ROUNDS: Final = 5
# One block, hence one part, a million rows: what merges leave of ingest's inserts.
_FILL: Final = f"""
INSERT INTO raw.events (event_id, event_type, event_time, user_id, session_id, page_url, kafka_topic, kafka_partition,
    kafka_offset, kafka_timestamp, ingested_at)
SELECT generateUUIDv4(), ['page_view', 'click', 'scroll', 'hover'][1 + rand() % 4], now64(6),
    concat('user_', toString(rand(1) % 50000)), hex(rand(2)), concat('/item/', toString(rand(3) % 2000)),
    '{_TOPIC}', number % {_PARTITIONS}, intDiv(number, {_PARTITIONS}), now64(3), now64(3)
FROM numbers({{start:UInt64}}, 1000000)
SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = 1000000, min_insert_block_size_rows = 1000000"""  # noqa: S608


def main() -> None:
    """Fill, audit, break, audit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=int, default=20, help="million rows")
    millions = parser.parse_args().millions
    with own_clickhouse() as settings, connect(settings) as client:
        report = measure(client, millions)
    target = ROOT / "var" / "bench" / "audit.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=2))
    sys.stdout.write(f"{json.dumps(report)}\n")


def measure(client: Client, millions: int) -> dict[str, float | str]:
    """Return rows, parts and milliseconds."""
    for index in range(millions):
        client.command(_FILL, parameters={"start": index * 1_000_000})
    parts, size = client.query(
        "SELECT count(), sum(bytes_on_disk) FROM system.parts WHERE database = 'raw' AND table = 'events' AND active"
    ).result_rows[0]
    sound, verdict = timed(client)
    if verdict != "complete":
        raise SystemExit(f"a sound table was called {verdict}")
    # One offset of partition 1 is there twice, and the one behind its last is skipped.
    last = millions * 1_000_000 // _PARTITIONS
    rows = [(_TOPIC, 1, 77), (_TOPIC, 1, last + 1)]
    client.insert("raw.events", rows, column_names=["kafka_topic", "kafka_partition", "kafka_offset"])
    broken, verdict = timed(client)
    if verdict != "broken":
        raise SystemExit(f"a broken table was called {verdict}")
    return {
        "rows": millions * 1_000_000,
        "parts": int(parts),
        "bytes_per_row": round(size / millions / 1e6, 1),
        "sound_ms": sound,
        "broken_partition_ms": broken,
    }


def timed(client: Client) -> tuple[float, str]:
    """Return the median milliseconds of some audits, and what they found."""
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        report = audit(client, [_TOPIC], None)
        took.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(took), 1), report.verdict


if __name__ == "__main__":
    main()
