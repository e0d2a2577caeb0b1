"""`millrace audit` as a user and as a script meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client

from cli.main import run
from contracts.settings import Settings
from local.paths import ROOT
from tests.integration.audit_tools import plant, send
from tests.integration.ingest_tools import good, ingest_all, make_topic

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]


@pytest.fixture
def settings(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that the command finds in its environment."""
    made = make_settings()
    monkeypatch.setenv("KAFKA_BROKER_URL", made.kafka_broker_url)
    monkeypatch.setenv("KAFKA_TOPIC", made.kafka_topic)
    monkeypatch.setenv("KAFKA_CONSUMER_TIMEOUT_MS", "5000")
    monkeypatch.setenv("CLICKHOUSE_HOST", made.clickhouse_host)
    monkeypatch.setenv("CLICKHOUSE_PORT", str(made.clickhouse_port))
    make_topic(made)
    return made


def test_a_clean_topic_exits_0_and_says_so(
    clickhouse: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    send(settings, good(10))
    ingest_all(settings)
    assert run(["audit"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1].startswith("complete: 10 offsets, lost 0, doubled 0, lag 0 (")
    assert sum(settings.kafka_topic in line for line in out) == 4


def test_loss_exits_1_and_names_the_offsets(
    clickhouse: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    send(settings, good(10))
    plant(clickhouse, [0, 1, 2, 6, 7, 7], topic=settings.kafka_topic)
    assert run(["audit"]) == 1
    out = capsys.readouterr().out
    assert f"{settings.kafka_topic}:0: 3 missing: in neither table although Kafka has them: 3-5\n" in out
    assert f"{settings.kafka_topic}:0: 1 more than once in one table: 7\n" in out
    assert run(["audit", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["verdict"], report["lost"], report["surplus"], report["lag"]) == ("broken", 3, 1, 2)
    assert report["partitions"][0]["missing"] == {"total": 3, "range_count": 1, "ranges": [[3, 5]]}


@pytest.mark.parametrize("how", ["--no-kafka", "down"])
def test_without_kafka_the_tables_are_still_shown_and_a_gap_is_not_called_loss(
    clickhouse: Client,
    settings: Settings,
    how: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(clickhouse, [0, 1, 3], topic=settings.kafka_topic)
    if how == "down":
        monkeypatch.setenv("KAFKA_BROKER_URL", "127.0.0.1:1")
        monkeypatch.setenv("KAFKA_CONSUMER_TIMEOUT_MS", "300")
    options = ["--no-kafka"] if how == "--no-kafka" else []
    assert run(["audit", *options]) == 0
    out = capsys.readouterr().out
    assert f"{settings.kafka_topic}:0: 1 in neither table; whether that is a legal gap was not checked: 2\n" in out
    assert out.count("lag is not known") == 1
    assert out.splitlines()[-1].startswith("unproven: 4 offsets, lost 0, doubled 0, lag not known")
    assert run(["audit", "--strict", *options]) == 1


def test_a_topic_nobody_knows_is_a_mistake(
    clickhouse: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "--topic", "nonsense"]) == 2
    assert capsys.readouterr().err == "millrace: neither Kafka nor ClickHouse has a topic nonsense\n"


def test_clickhouse_away_is_one_line(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", "1")
    assert run(["audit"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_watch_audits_again_until_it_is_interrupted(clickhouse: Client, settings: Settings) -> None:
    plant(clickhouse, range(5), topic=settings.kafka_topic)
    command = [sys.executable, "-m", "cli", "audit", "--no-kafka", "--json", "--watch", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ) as process:
        events = [json.loads(process.stdout.readline())["totals"]["events"] for _ in range(2)]
        plant(clickhouse, [5], topic=settings.kafka_topic)
        while events[-1] == 5:
            events.append(json.loads(process.stdout.readline())["totals"]["events"])
        process.send_signal(signal.SIGINT)
    assert (events[:2], events[-1], process.returncode) == ([5, 5], 6, 130)
