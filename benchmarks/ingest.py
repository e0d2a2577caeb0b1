"""How fast a worker moves events from a real Kafka to a real ClickHouse: `python benchmarks/ingest.py`.

Starts both servers on free ports, fills a topic before the clock starts, then runs one worker process a
round into an empty table. The rate counts from the first row that landed to the last, so joining the
group is not in it; `wall_s` is the whole life of the process. Prints the figures and writes
`var/bench/ingest_quick.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.paths import ROOT
from local.ports import free_ports
from local.servers import clickhouse_service, kafka_service
from local.service import RunningService
from sql.migrate import migrate
from streaming.kafka.client import producer_config
from streaming.kafka.topics import ensure_topic

_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_WORKER: Final = "import typer; from cli.ingest import ingest; typer.run(ingest)"
_SAMPLE_SECONDS: Final = 0.02


def main() -> None:
    """Run the rounds the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="events in the topic")
    parser.add_argument("--rounds", type=int, default=3, help="rounds for each batch size")
    parser.add_argument("--batch", type=int, action="append", help="KAFKA_BATCH_SIZE; may be repeated")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as settings:
        size = fill(settings, arguments.events)
        results = [
            measure(settings, batch, arguments.events, turn)
            for turn in range(arguments.rounds)
            for batch in arguments.batch or [50_000]
        ]
    report = {"events": arguments.events, "bytes_per_event": round(size), "rounds": results}
    report["events_per_s"] = median_by_batch(results, "events_per_s")
    report["rss_max_mb"] = max(result["rss_max_mb"] for result in results)
    target = ROOT / "var" / "bench" / "ingest_quick.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=2))
    sys.stdout.write(f"{json.dumps(report['events_per_s'])} events/s by batch size, {report['rss_max_mb']} MB\n")


@contextmanager
def servers(home: Path) -> Iterator[Settings]:
    """Start a ClickHouse and a Kafka of this benchmark's own; yield settings for both and the topic."""
    http, native, broker, controller = free_ports(4)
    services = [
        RunningService(clickhouse_service(home / "server", http, native), home),
        RunningService(kafka_service(home / "kafka", broker, controller, 8), home),
    ]
    try:
        for service in services:
            service.start()
        for service in services:
            service.wait_ready()
        settings = Settings.model_validate(
            {
                "millrace_home": home,
                "clickhouse_host": "127.0.0.1",
                "clickhouse_port": http,
                "kafka_broker_url": f"127.0.0.1:{broker}",
                "kafka_topic": "bench",
            }
        )
        migrate(connect(settings), settings)
        ensure_topic(settings)
        yield settings
    finally:
        for service in services:
            service.stop()


def fill(settings: Settings, number: int) -> float:
    """Produce `number` events and return their mean size in bytes."""
    dice = random.Random(1)  # noqa: S311 - test data
    producer = Producer(producer_config(settings))
    total = 0
    for index in range(number):
        user, value = event(index, dice)
        total += len(value)
        while True:
            try:
                producer.produce(settings.kafka_topic, value, user)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    return total / number


def event(index: int, dice: random.Random) -> tuple[str, bytes]:
    """Return a key and an event as a shop's tracker would send it; about 350 bytes."""
    user, item = f"user_{dice.randrange(50_000)}", dice.randrange(2_000)
    fields: dict[str, Any] = {
        "event_id": str(uuid.UUID(int=dice.getrandbits(128))),
        "event_type": dice.choice(("page_view", "page_view", "click", "scroll", "hover", "add_to_cart")),
        "timestamp": f"2026-01-01T10:{index % 3600 // 60:02d}:{index % 60:02d}.{index % 1000:03d}Z",
        "user_id": user,
        "session_id": f"s-{dice.getrandbits(40):x}",
        "item_id": f"item_{item}",
        "item_category": f"category_{item % 20}",
        "page_url": f"/item/{item}",
        "user_agent": _AGENT,
        "country": dice.choice(("DE", "FR", "US")),
        "device_type": "desktop",
    }
    if index % 10 == 0:
        fields |= {"price": round(dice.uniform(1, 500), 2), "quantity": 1, "currency": "EUR"}
    return user, json.dumps(fields).encode()


def measure(settings: Settings, batch: int, events: int, turn: int) -> dict[str, float]:
    """Run one worker process over the whole topic and return its figures."""
    client = connect(settings)
    client.command("TRUNCATE TABLE raw.events")
    environment = {
        "KAFKA_BROKER_URL": settings.kafka_broker_url,
        "KAFKA_TOPIC": settings.kafka_topic,
        "KAFKA_GROUP_ID": f"bench-{batch}-{turn}",
        "KAFKA_BATCH_SIZE": str(batch),
        "KAFKA_FLUSH_INTERVAL": "1",
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "MILLRACE_HOME": str(settings.millrace_home),
    }
    started = time.monotonic()
    command = [sys.executable, "-c", _WORKER, "--until-caught-up"]
    worker = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    rss, cpu = watch(worker.pid)
    if worker.wait() != 0:
        raise SystemExit(f"the worker ended with code {worker.returncode}")
    rows, seconds = landed(client)
    if rows != events:
        raise SystemExit(f"{rows} rows landed, {events} were sent")
    return {
        "batch": batch,
        # The first batch's own time is unknown; its rows are left out with it.
        "events_per_s": round((events - min(batch, events - 1)) / max(seconds, 1e-3)),
        "wall_s": round(time.monotonic() - started, 2),
        "worker_cpu_s_per_million": round(cpu / events * 1e6, 2),
        "rss_max_mb": round(rss / 2**20),
    }


def watch(pid: int) -> tuple[int, float]:
    """Sample a process until it ends; return its highest resident bytes and its CPU seconds."""
    process = psutil.Process(pid)
    highest, cpu = 0, 0.0
    while True:
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    return highest, cpu
                highest = max(highest, process.memory_info().rss)
                cpu = sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            return highest, cpu
        time.sleep(_SAMPLE_SECONDS)


def landed(client: Client) -> tuple[int, float]:
    """Return the rows and the seconds between the first and the last batch's stamps."""
    row = client.query(
        "SELECT uniqExact(kafka_partition, kafka_offset), "
        "(toUnixTimestamp64Milli(max(ingested_at)) - toUnixTimestamp64Milli(min(ingested_at))) / 1000 FROM raw.events"
    ).result_rows[0]
    return int(row[0]), float(row[1])


def median_by_batch(results: list[dict[str, float]], name: str) -> dict[str, float]:
    """Return the median of a figure for each batch size."""
    batches = sorted({result["batch"] for result in results})
    return {
        str(int(batch)): statistics.median(result[name] for result in results if result["batch"] == batch)
        for batch in batches
    }


if __name__ == "__main__":
    main()
