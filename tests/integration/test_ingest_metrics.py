"""What a running worker says about itself, scraped while it runs on a real Kafka and a real ClickHouse."""

from __future__ import annotations

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from prometheus_client.parser import text_string_to_metric_families

from contracts.clickhouse import connect
from contracts.metrics import METRICS
from contracts.settings import Settings
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate
from streaming.ingest.records import Message
from streaming.ingest.source import Source
from streaming.ingest.worker import WorkerOptions, state_file
from streaming.ingest.writer import Writes
from tests.integration.ingest_tools import (
    PARTITIONS,
    good,
    in_both,
    make_topic,
    produce,
    running_worker,
    wait_until,
    worker_process,
)
from tests.patience import WAIT_SECONDS
from tests.unit.streaming.ingest.messages import as_json

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]
Samples = dict[str, dict[tuple[str, ...], float]]


def get(settings: Settings, path: str, name: str = "worker-1") -> tuple[int, str]:
    """Ask the worker whose address is in its state file; (0, "") while it has none."""
    state = state_file(settings, name)
    address = json.loads(state.read_text())["endpoint"] if state.exists() else None
    if address is None:
        return 0, ""
    try:
        with urllib.request.urlopen(f"{address}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def scrape(settings: Settings, name: str = "worker-1") -> Samples:
    """The worker's samples by name and label values, in the order of the labels' names; the topic is left out."""
    found: Samples = defaultdict(dict)
    for family in text_string_to_metric_families(get(settings, "/metrics", name)[1]):
        for sample in family.samples:
            found[sample.name][tuple(value for key, value in sorted(sample.labels.items()) if key != "topic")] = (
                sample.value
            )
    return found


def one(samples: Samples, name: str) -> float | None:
    """The value of a metric of one series; None while the worker does not answer."""
    values = list(samples.get(f"millrace_ingest_{name}", {}).values())
    assert len(values) <= 1, name
    return values[0] if values else None


def test_a_running_worker_exposes_what_is_listed_and_its_numbers_agree_with_the_tables(
    clickhouse: Client, make_settings: MakeSettings
) -> None:
    settings = make_settings(ingest_metrics_port="auto", kafka_batch_size=300)
    make_topic(settings)
    past = datetime.now(UTC) - timedelta(hours=2)
    late = [as_json(timestamp=past.isoformat())] * 40
    values: list[bytes | None] = [*good(900), *late, b"bad", b"worse", b"[]", None]
    sent = produce(settings, values)
    with running_worker(settings):
        wait_until(lambda: in_both(clickhouse, settings) == sent)
        wait_until(lambda: get(settings, "/ready")[0] == 200)
        wait_until(lambda: set(scrape(settings)["millrace_ingest_lag_events"].values()) == {0.0})
        # Rows can be read a moment before their worker has heard that they are durable.
        wait_until(lambda: one(scrape(settings), "insert_rows_sum") == len(values))
        text, samples = get(settings, "/metrics")[1], scrape(settings)
    families = {family.name for family in text_string_to_metric_families(text)}
    assert families == {metric.name.removesuffix("_total") for metric in METRICS}
    letters = {labels[0]: value for labels, value in samples["millrace_ingest_dead_letters_total"].items() if value}
    assert letters == {"not_json": 2, "not_an_object": 1, "null_value": 1}
    assert one(samples, "events_total") == 940
    assert one(samples, "bytes_total") == sum(len(value) for value in values if value)
    assert one(samples, "insert_rows_sum") == 944
    assert one(samples, "insert_seconds_count") == one(samples, "batches_total") >= 4
    ends = {(str(partition),): float(max(at for each, at in sent if each == partition) + 1) for partition, _ in sent}
    assert samples["millrace_ingest_position_offset"] == ends
    assert samples["millrace_ingest_partitions"] == {("placed",): PARTITIONS, ("unplaced",): 0}


def test_the_delays_are_those_of_the_rows(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings(ingest_metrics_port="auto")
    make_topic(settings)
    past = datetime.now(UTC) - timedelta(hours=2)
    sent = produce(settings, [as_json(timestamp=(past + timedelta(seconds=each)).isoformat()) for each in range(400)])
    with running_worker(settings):
        wait_until(lambda: one(scrape(settings), "events_total") == len(sent))
        samples = scrape(settings)
    micro = "toUnixTimestamp64Micro(toDateTime64({}, 6)) / 1e6"
    event, broker, raw = (micro.format(name) for name in ("event_time", "kafka_timestamp", "ingested_at"))
    expected = clickhouse.query(
        f"SELECT sum({broker} - {event}), sum({raw} - {broker}), sum({raw} - {event}) FROM raw.events"
    ).result_rows[0]
    names = ("event_to_broker_seconds", "broker_to_raw_seconds", "event_to_raw_seconds")
    assert [one(samples, f"{name}_sum") for name in names] == pytest.approx(expected, rel=1e-6, abs=1e-3)
    assert [one(samples, f"{name}_count") for name in names] == [400] * 3
    assert 6_000 < one(samples, "newest_event_age_seconds") < 7_200
    assert samples["millrace_ingest_event_to_raw_seconds_bucket"]["3600.0",] == 0


def test_without_clickhouse_a_worker_is_alive_and_not_ready_and_says_why(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    http, native = free_ports(2)
    server = RunningService(clickhouse_service(tmp_path / "server", http, native), tmp_path)
    server.start()
    server.wait_ready()
    settings = make_settings(clickhouse_port=http, ingest_metrics_port="auto", kafka_batch_size=200)
    migrate(connect(settings), settings)
    make_topic(settings)
    try:
        with running_worker(settings) as raised:
            wait_until(lambda: get(settings, "/ready")[0] == 200)
            server.kill()
            produce(settings, good(2_000))
            wait_until(lambda: get(settings, "/ready")[0] == 503)
            wait_until(lambda: one(scrape(settings), "paused") == 1.0)
            assert "waiting for ClickHouse: ClickHouse cannot be reached" in get(settings, "/ready")[1]
            assert get(settings, "/live") == (200, "ok\n")
            samples = scrape(settings)
            assert samples["millrace_ingest_state"]["waiting",] == 1
            assert samples["millrace_ingest_retries_total"]["no_code", "clickhouse"] > 0
            assert one(samples, "in_hand_rows") >= 200
            behind = sum(samples["millrace_ingest_lag_events"].values())
            produce(settings, good(1_000))
            wait_until(lambda: sum(scrape(settings)["millrace_ingest_lag_events"].values()) == behind + 1_000)
            server.start()
            wait_until(lambda: get(settings, "/ready")[0] == 200)
            wait_until(lambda: one(scrape(settings), "events_total") == 3_000)
            samples = scrape(settings)
            assert (one(samples, "pauses_total") >= 1, one(samples, "paused")) == (True, 0)
            assert raised == []
    finally:
        server.stop()


def test_a_worker_that_makes_no_turn_is_stuck(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(ingest_metrics_port="auto")
    make_topic(settings)
    free = threading.Event()
    real = Source.poll

    def blocked(self: Source, most: int, timeout: float) -> list[Message]:
        if self.positions:
            free.wait(60)
        return real(self, most, timeout)

    with running_worker(settings, WorkerOptions(stuck_seconds=3)):
        wait_until(lambda: get(settings, "/ready")[0] == 200)
        assert get(settings, "/live")[0] == 200
        monkeypatch.setattr(Source, "poll", blocked)
        wait_until(lambda: get(settings, "/live")[0] == 503)
        assert get(settings, "/live")[1].startswith("stuck: no turn of the loop for")
        free.set()
        wait_until(lambda: get(settings, "/live")[0] == 200)


def test_a_writer_that_hangs_is_no_standstill_of_the_loop(make_settings: MakeSettings) -> None:
    settings = make_settings(ingest_metrics_port="auto")
    make_topic(settings)
    produce(settings, good(10))
    free = threading.Event()

    class Hanging:
        def __init__(self, writer: Writes) -> None:
            self.write = lambda batch: free.wait(60) and writer.write(batch)

    with running_worker(settings, WorkerOptions(stuck_seconds=2, wrap_writer=Hanging)):
        wait_until(lambda: one(scrape(settings), "in_hand_rows") == 10)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 3)
        assert get(settings, "/live") == (200, "ok\n")
        free.set()
        wait_until(lambda: one(scrape(settings), "events_total") == 10)


def test_a_second_worker_takes_over_partitions_and_both_count_the_rebalance(make_settings: MakeSettings) -> None:
    settings = make_settings(ingest_metrics_port="auto")
    make_topic(settings)
    with running_worker(settings, WorkerOptions(name="a")):
        wait_until(lambda: get(settings, "/ready", "a")[0] == 200)
        with running_worker(settings, WorkerOptions(name="b")):
            wait_until(lambda: scrape(settings, "b")["millrace_ingest_partitions"].get(("placed",)) == 2.0)
            # a tells of what it gave up with its next turn, which may come after b's first one.
            wait_until(lambda: scrape(settings, "a")["millrace_ingest_rebalances_total"]["revoked",] >= 1)
            assert scrape(settings, "a")["millrace_ingest_rebalances_total"]["lost",] == 0
            assert len(scrape(settings, "a")["millrace_ingest_lag_events"]) <= 2


def test_a_worker_logs_json_without_its_password(make_settings: MakeSettings) -> None:
    settings = make_settings(ingest_metrics_port="auto")
    make_topic(settings)
    worker = worker_process(settings, LOG_FORMAT="json", SLACK_BOT_TOKEN="hunter2-kafka")
    wait_until(lambda: get(settings, "/ready")[0] == 200)
    answers = "".join(get(settings, path)[1] for path in ("/metrics", "/health"))
    worker.send_signal(signal.SIGTERM)
    said, _ = worker.communicate(timeout=WAIT_SECONDS)
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {line["worker"] for line in lines} == {"worker-1"}
    assert any(line["message"].startswith("metrics and health: http://127.0.0.1:") for line in lines)
    assert "hunter2" not in answers + said
