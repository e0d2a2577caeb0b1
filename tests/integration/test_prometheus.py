"""A real Prometheus scrapes a real worker, ClickHouse and the exporter, with the rules and addresses that ship."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import yaml

from contracts.clickhouse import connect
from contracts.metrics import METRICS
from contracts.platform_metrics import PLATFORM_METRICS
from contracts.settings import Settings
from local.paths import ROOT
from local.ports import free_ports
from local.servers import answers_http
from monitoring.boards import BOARDS, Panel
from tests.integration.ingest_tools import good, produce, wait_until
from tests.integration.prometheus_tools import World, becomes, scraped_world
from tests.patience import WAIT_SECONDS

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka, pytest.mark.slow]
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board.panels]


@pytest.fixture(scope="module")
def world(clickhouse_server: Settings, kafka_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with scraped_world(clickhouse_server, kafka_server, tmp_path_factory.mktemp("metrics")) as world:
        yield world


def test_every_target_is_up(world: World) -> None:
    jobs = {"ingest", "platform", "clickhouse", "prometheus"}
    becomes(lambda: {labels["job"] for labels, up in world.values("up") if up == 1}, jobs)
    targets = world.ask("targets")["activeTargets"]
    assert {target["health"] for target in targets} == {"up"}, targets
    assert world.values("min(millrace_metrics_source_up)") == [({}, 1.0)]
    assert [labels["worker"] for labels, _ in world.values('up{job="ingest"}')] == ["worker-1"]


def test_the_rules_that_ship_are_loaded_and_every_recorded_figure_gets_a_value(world: World) -> None:
    world.run_job()
    produce(world.settings, [*good(50), b"bad"])
    rules = [rule for group in world.ask("rules")["groups"] for rule in group["rules"]]
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
    assert recorded
    becomes(lambda: [name for name in recorded if not world.values(name)], [])
    becomes(lambda: {rule["health"] for group in world.ask("rules")["groups"] for rule in group["rules"]}, {"ok"})
    wait_until(lambda: world.values("millrace:ingest_events:rate1m")[0][1] > 0)
    wait_until(lambda: sum(value for _, value in world.values("millrace:kafka_lag:events")) == 0)


def test_what_is_scraped_is_what_the_lists_say(world: World) -> None:
    world.run_job()
    families = {metric.name for metric in (*METRICS, *PLATFORM_METRICS)}
    names = {metric.name + ("_count" if metric.kind == "histogram" else "") for metric in (*METRICS, *PLATFORM_METRICS)}
    becomes(lambda: names - set(world.ask("label/__name__/values")), set())
    scraped = {name for name in world.ask("label/__name__/values") if name.startswith("millrace_")}
    suffixes = ("", "_bucket", "_sum", "_count")
    assert {name for name in scraped if not any(name == one + end for one in families for end in suffixes)} == set()


def test_the_figures_are_those_of_the_servers(world: World) -> None:
    wait_until(lambda: world.values('millrace_checks_failing{check="enough"}') != [])
    for expression, figure in (
        ('sum(millrace_alerts_open_incidents{severity="error", state="open"})', 1.0),
        ('sum(millrace_alerts_waiting_messages{channel="slack"})', 1.0),
        ("sum(millrace_kafka_workers)", 1.0),
        ("sum(millrace_raw_rows) - sum(millrace_kafka_end_offset)", 0.0),
    ):
        becomes(partial(world.values, expression), [({}, figure)])
    age = world.value('sum(millrace_alerts_oldest_message_age_seconds{channel="slack"})')
    assert 3_600 <= age < 4_200


def test_a_model_is_behind_by_what_landed_since_it_was_folded_and_for_as_long(world: World) -> None:
    """The delay was a thousandth of what it is: ClickHouse's difference of two moments is in seconds already."""
    with connect(world.server) as client:
        ask = "SELECT max(kafka_offset) + 1, toUnixTimestamp64Milli(max(updated_at)) / 1000 FROM ops.model_watermarks"
        before = world.value("sum(millrace_marts_behind_events{model='int_user'})")
        folded_at = client.query(f"{ask} WHERE model = 'int_user'").result_rows[0][1]
    produce(world.settings, good(40))
    # A dead letter between two events counts with them.
    behind = "sum(millrace_marts_behind_events{model='int_user'})"
    becomes(lambda: before + 40 <= world.value(behind) <= before + 44, expected=True)
    delay = world.value("max(millrace_marts_delay_seconds{model='int_user'})")
    assert delay == pytest.approx(datetime.now(UTC).timestamp() - folded_at, abs=10)
    models = {labels["model"] for labels, _ in world.values("millrace_marts_behind_events")}
    assert {"int_user", "int_item_hourly"} <= models


QUERIES = [(f"{name}: {panel.title}", query.expr) for name, panel in PANELS for query in panel.prometheus]
QUESTIONS = [pytest.param(panel, id=f"{name}: {panel.title}") for name, panel in PANELS if panel.sql]
# Their verdicts are made by Dagster, which does not run here.
EMPTY = {"Experiments"}


def test_every_expression_of_a_board_has_an_answer(world: World) -> None:
    """It names metrics that are scraped, with labels that they have, and Prometheus understands it."""
    world.run_job()
    produce(world.settings, [*good(20), b"bad"])
    becomes(lambda: [title for title, expression in QUERIES if not world.values(expression)], [])


@pytest.mark.parametrize("panel", QUESTIONS)
def test_every_question_of_a_board_is_answered_to_who_may_only_read(world: World, panel: Panel) -> None:
    sql = expanded(panel.sql)
    assert "$__" not in sql
    with connect(world.reader()) as client:
        # What the plugin's client asks the server to keep to.
        answer = client.query(sql, settings={"max_execution_time": 25})
        header = client.query(f"DESCRIBE ({sql})", settings={"max_execution_time": 25}).result_rows
    assert bool(answer.result_rows) is (panel.title not in EMPTY)
    if panel.show == "lines":
        assert header[0][:2] in {("time", "DateTime('UTC')"), ("time", "DateTime64(3, 'UTC')")}
        assert any(re.match(r"(Nullable\()?(U?Int|Float|Decimal)", row[1]) for row in header[1:])
    if panel.show == "number":
        assert len(answer.result_rows) == len(header) == 1


def test_grafanas_user_is_made_in_words_that_clickhouse_understands(clickhouse_server: Settings) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    script = compose["services"]["grafana-user"]["entrypoint"][-1]
    statements = re.findall(r'--query "(.*)"', script, re.DOTALL)[0].replace("$$hash", "ab" * 32).split(";")
    with connect(clickhouse_server) as client:
        understood = [client.command(f"SELECT formatQuerySingleLine($q${one}$q$)") for one in statements]
    assert [str(one).split()[0] for one in understood] == ["CREATE", "GRANT"]


def expanded(sql: str) -> str:
    """The SQL as the plugin for Grafana sends it: its macros are replaced by text."""
    now = int(datetime.now(UTC).timestamp())
    since, until = f"toDateTime({now - 3600})", f"toDateTime({now})"
    between = rf"\1 >= {since} AND \1 <= {until}"
    return re.sub(r"\$__timeFilter\((\w+)\)", between, sql).replace("$__fromTime", since).replace("$__toTime", until)


def test_with_everything_away_the_command_says_so_and_leaves_in_order(tmp_path: Path) -> None:
    kafka, clickhouse, port, prometheus_port = free_ports(4)
    environment = {
        "MILLRACE_HOME": str(tmp_path),
        "KAFKA_BROKER_URL": f"127.0.0.1:{kafka}",
        "KAFKA_CONSUMER_TIMEOUT_MS": "200",
        "CLICKHOUSE_PORT": str(clickhouse),
        "METRICS_PORT": str(port),
        "PROMETHEUS_PORT": str(prometheus_port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "metrics", "--prometheus"],
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until(lambda: answers_http(f"http://127.0.0.1:{prometheus_port}/-/ready"))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert text.count("millrace_metrics_source_up{") == text.count('"} 0.0') == 3
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/targets", timeout=10) as answer:
            assert json.load(answer) == []
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, said
    assert all(f"WARNING {source}: " in said for source in ("kafka", "clickhouse"))
    assert "dagster: there is no Dagster in" in said
    assert "Traceback" not in said
    assert not answers_http(f"http://127.0.0.1:{prometheus_port}/-/ready")
