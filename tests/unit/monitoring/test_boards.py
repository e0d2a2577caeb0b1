"""Grafana's boards are what the lists of panels make, ask what is provisioned, and name what exists."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from contracts.metrics import METRICS
from contracts.platform_metrics import PLATFORM_METRICS
from local.paths import ROOT
from monitoring.boards import BOARDS
from monitoring.grafana_boards import FOLDER, render
from monitoring.rules import RECORDED

PROVISIONING = ROOT / "monitoring" / "grafana" / "provisioning"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
NAMED = {metric.name + end for metric in (*METRICS, *PLATFORM_METRICS) for end in ("", "_bucket", "_sum", "_count")}
NAMED |= {recorded.name for recorded in RECORDED}


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_what_its_panels_make(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == render(name), "stale: run `make docs`"


def test_there_is_a_board_for_each_subject_and_no_other_file() -> None:
    assert set(BOARDS) == {"ingestion", "clickhouse", "dagster", "business"}
    assert {path.stem for path in FOLDER.iterdir()} == set(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_beside_each_other_and_say_what_they_are(name: str) -> None:
    board = json.loads(render(name))
    assert board["description"].endswith(".")
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])}
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert not panel["description"] or panel["description"].endswith(".")


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_names_metrics_that_exist(name: str) -> None:
    named = {word for panel in BOARDS[name].panels for query in panel.prometheus for word in words(query.expr)}
    assert named - NAMED == set()


def words(expression: str) -> list[str]:
    return re.findall(r"\bmillrace[_:][\w:]+", expression)


def test_the_boards_ask_the_sources_that_are_provisioned() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "millrace.yml").read_text())["datasources"]
    known = {(source["type"], source["uid"]) for source in sources}
    asked = {
        (target["datasource"]["type"], target["datasource"]["uid"])
        for name in BOARDS
        for panel in json.loads(render(name))["panels"]
        for target in (panel, *panel["targets"])
        if "datasource" in target
    }
    assert asked == known


def test_grafana_finds_its_files_its_plugin_and_its_user() -> None:
    grafana, user = COMPOSE["grafana"], COMPOSE["grafana-user"]
    mounts = dict(entry.split(":")[:2] for entry in grafana["volumes"])
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "millrace.yml").read_text())["providers"]
    assert mounts["./monitoring/grafana/boards"] == provider["options"]["path"]
    prometheus, clickhouse = yaml.safe_load((PROVISIONING / "datasources" / "millrace.yml").read_text())["datasources"]
    host, port = re.findall(r"//(\w+):(\d+)", prometheus["url"])[0]
    assert any(entry.endswith(f":{port}") for entry in COMPOSE[host]["ports"])
    assert f"{clickhouse['jsonData']['port']}" in "".join(COMPOSE[clickhouse["jsonData"]["host"]]["ports"])
    assert clickhouse["type"] in grafana["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
    variable = clickhouse["secureJsonData"]["password"].removeprefix("$")
    assert grafana["environment"][variable] == user["environment"][variable]
    script = user["entrypoint"][-1]
    assert f"CREATE USER OR REPLACE {clickhouse['jsonData']['username']} " in script
    assert "GRANT millrace_dashboard TO grafana" in script
