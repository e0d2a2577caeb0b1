"""The code location loads by itself, without a server, and holds what the design names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.names import DBT_JOB, ITEM_SALES_CHECK, LIVE_MODELS, LIVE_TABLES, MARTS
from local.paths import ROOT
from local.ports import free_ports
from tests.patience import PROGRAM_SECONDS

_LIST = """
import json
from orchestration.definitions import defs
import sys
repository = defs.get_repository_def()
graph = repository.asset_graph
keys = sorted(graph.get_all_asset_keys())
print(json.dumps({
    "assets": {k.to_user_string(): graph.get(k).group_name for k in keys},
    "parents": {k.to_user_string(): [p.to_user_string() for p in graph.get(k).parent_keys] for k in keys},
    "owners": {k.to_user_string(): len(graph.get(k).owners) for k in keys},
    "kinds": {k.to_user_string(): sorted(graph.get(k).kinds) for k in keys},
    "fresh": [k.to_user_string() for k in keys if graph.get(k).freshness_policy],
    "checks": [k.to_user_string() for k in graph.asset_check_keys],
    "jobs": sorted(repository.job_names),
    "sensors": sorted(s.name for s in repository.sensor_defs),
    "dbt_loaded": "dbt.cli.main" in sys.modules,
}))
"""


def python(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PROGRAM_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What a fresh interpreter finds, with no server behind any address."""
    nobody, nobody_else = free_ports(2)
    environment = {
        **os.environ,
        "MILLRACE_HOME": str(tmp_path_factory.mktemp("home")),
        "CLICKHOUSE_PORT": str(nobody),
        "KAFKA_BROKER_URL": f"localhost:{nobody_else}",
        "KAFKA_TOPIC": "clickstream_topic",
    }
    answer = python(_LIST, environment)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def test_the_assets_are_the_reviewed_ones(loaded: dict) -> None:
    by_group: dict[str, list[str]] = {}
    for key, group in loaded["assets"].items():
        by_group.setdefault(group, []).append(key)
    by_group.pop("intermediate")
    assert by_group == {
        "kafka": ["kafka/clickstream_topic"],
        "raw": ["ops/event_profiles", "raw/dead_letters", "raw/events"],
        "archive": ["archive/raw_days"],
        "staging": ["staging/stg_dead_letters", "staging/stg_events"],
        "marts": sorted(["ops/experiment_results", *(f"marts/{name}" for name in MARTS)]),
        "live": sorted([*(name.replace(".", "/") for name in LIVE_TABLES), *(f"live/{name}" for name in LIVE_MODELS)]),
    }


def test_the_lineage_runs_from_the_topic_to_the_marts(loaded: dict) -> None:
    reached, wave = set(), {"kafka/clickstream_topic"}
    while wave:
        reached |= wave
        wave = {key for key, parents in loaded["parents"].items() if reached & set(parents)} - reached
    assert reached == set(loaded["assets"])


def test_every_asset_has_an_owner_and_kinds(loaded: dict) -> None:
    assert all(loaded["owners"].values())
    assert loaded["kinds"]["kafka/clickstream_topic"] == ["kafka"]
    assert loaded["kinds"]["raw/events"] == ["clickhouse"]
    assert loaded["kinds"]["marts/fct_item"] == ["clickhouse", "dbt"]


def test_every_mart_says_how_fresh_it_has_to_be(loaded: dict) -> None:
    assert loaded["fresh"] == sorted(key for key, group in loaded["assets"].items() if group == "marts")


def test_the_names_others_rely_on_exist(loaded: dict) -> None:
    assert f"marts/fct_item_hourly:{ITEM_SALES_CHECK}" in loaded["checks"]
    assert DBT_JOB in loaded["jobs"]
    assert "archive/raw_days:archive_verified" in loaded["checks"]
    assert loaded["sensors"] == [
        *("alert_watch", "alerts", "analyses", "checks", "closed_days", "dbt_tests", "observations", "old_runs"),
        *("raw_rows", "shop_checks"),
    ]


def test_loading_does_not_hold_dbt_in_memory(loaded: dict) -> None:
    assert not loaded["dbt_loaded"]


def test_a_project_that_does_not_parse_says_why(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "dbt_project.yml").write_text("name: millrace\nprofile: absent\n")
    environment = {**os.environ, "MILLRACE_HOME": str(tmp_path), "DBT_PROJECT_DIR": str(project)}
    command = "from orchestration.resources.dbt_project import prepared_manifest as p; p()"
    answer = python(command, environment)
    assert "the dbt project does not parse" in answer.stderr
    assert "absent" in answer.stderr or "profiles" in answer.stderr
