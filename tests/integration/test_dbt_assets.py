"""dbt's models as assets, run in this process against a real ClickHouse."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from dagster_dbt import DbtCliResource

from contracts.settings import Settings
from orchestration.assets import dbt_models as module
from orchestration.assets.dbt_models import dbt_models
from orchestration.resources.clickhouse import ClickHouse
from orchestration.resources.dbt import InProcessDbt, NodeResult, dbt_resource

pytestmark = [pytest.mark.clickhouse]

INSERT = """
INSERT INTO raw.events
    (event_id, event_type, event_time, user_id, session_id, item_id, kafka_topic, kafka_offset, ingested_at)
SELECT generateUUIDv4(), 'page_view', now64(6), toString(number % 7), 's', 'i', 't', number, now64(3) FROM numbers(40)
"""
VIEWS = (dg.AssetKey(["staging", "stg_events"]), dg.AssetKey(["staging", "stg_dead_letters"]))


@pytest.fixture(autouse=True)
def server(clean_marts: None, clickhouse_server: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKHOUSE_HOST", "127.0.0.1")
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What dbt was asked to do, one line a call."""
    calls: list[str] = []
    invoke = InProcessDbt.invoke

    def listen(
        self: InProcessDbt, command: str, arguments: Sequence[str], log: logging.Logger, **how: Any
    ) -> list[NodeResult]:
        calls.append(" ".join([command, *arguments]))
        return invoke(self, command, arguments, log, **how)

    monkeypatch.setattr(InProcessDbt, "invoke", listen)
    return calls


@pytest.fixture
def build() -> Callable[..., dict[str, str]]:
    def materialize(*keys: dg.AssetKey, succeeds: bool = True) -> dict[str, str]:
        with dg.DagsterInstance.ephemeral() as instance:
            resources = {"dbt": InProcessDbt(), "clickhouse": ClickHouse()}
            done = dg.materialize(
                [dbt_models], selection=list(keys), resources=resources, instance=instance, raise_on_error=False
            )
        assert done.success is succeeds
        events = done.get_asset_materialization_events()
        return {event.asset_key.path[-1]: event.materialization.metadata["dbt_message"].value for event in events}

    return materialize


def test_a_view_that_is_as_the_project_makes_it_is_left_to_itself(
    clickhouse: Client, build: Callable[..., dict[str, str]], asked: list[str]
) -> None:
    assert set(build(*VIEWS)) == {"stg_events", "stg_dead_letters"}
    assert build(*VIEWS) == {"stg_events": "UNCHANGED", "stg_dead_letters": "UNCHANGED"}
    assert len(asked) == 1
    clickhouse.command("CREATE OR REPLACE VIEW staging.stg_events AS SELECT 1 AS wrong")
    clickhouse.command("DROP VIEW staging.stg_dead_letters")
    build(*VIEWS)
    assert len(asked) == 2
    assert all(name in asked[-1] for name in ("stg_events", "stg_dead_letters"))
    assert clickhouse.query("SELECT count() FROM staging.stg_events WHERE event_id IS NULL").result_rows == [(0,)]


def test_a_view_left_to_itself_comes_before_what_reads_it(
    clickhouse: Client, build: Callable[..., dict[str, str]]
) -> None:
    """Dagster refuses a model that comes before one it reads; each run of the marts failed on it."""
    clickhouse.command(INSERT)
    build(*VIEWS)
    done = build(VIEWS[0], dg.AssetKey(["intermediate", "int_events"]))
    assert done["stg_events"] == "UNCHANGED"
    assert list(done) == ["stg_events", "int_events"]


def test_a_view_made_by_another_version_of_the_project_is_made_again(
    build: Callable[..., dict[str, str]], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(*VIEWS)
    monkeypatch.setattr("orchestration.resources.dbt_views.project_version", lambda: "another")
    build(*VIEWS)
    assert len(asked) == 2


def test_a_view_below_a_model_that_failed_is_not_called_built(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = NodeResult("model.millrace.int_item", "error", "no memory", 1.0, None, "")
    views = ["model.millrace.fct_item", "model.millrace.fct_user"]
    left = {one.unique_id.split(".")[-1]: one.status for one in module._left_alone(views, [broken])}
    assert left == {"fct_item": "skipped", "fct_user": "success"}


def test_a_test_that_fails_in_the_middle_of_a_run_is_done_again_when_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The demo alerted sessions without users, which the same run was about to write."""
    names = list(module.nodes().checks)[:2]
    calls: list[tuple[list[str], bool]] = []

    def invoke(
        _: InProcessDbt, __: str, arguments: Sequence[str], ___: Any, *, alone: bool = False, writes: Any = None
    ) -> list[NodeResult]:
        assert writes is None
        calls.append((list(arguments), alone))
        status = {names[0]: "pass", names[1]: "pass" if alone else "fail"}
        return [NodeResult(name, status[name], "", 0.1, 0, "") for name in (names[1:] if alone else names)]

    monkeypatch.setattr(InProcessDbt, "invoke", invoke)
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [dbt_models],
            selection=dg.AssetSelection.checks(*(module.nodes().checks[name] for name in names)),
            resources={"dbt": InProcessDbt(), "clickhouse": ClickHouse()},
            instance=instance,
        )
    assert [one.passed for one in done.get_asset_check_evaluations()] == [True, True]
    (_, first), (again, second) = calls
    assert (first, second) == (False, True)
    assert len(again) == len(calls[0][0]) - 1


COMPARED = (
    *(dg.AssetKey(["staging", "stg_events"]), dg.AssetKey(["intermediate", "int_events"])),
    dg.AssetKey(["live", "live_minute"]),
)


def recorded(dbt: InProcessDbt | DbtCliResource) -> dict[str, dict[str, Any]]:
    """What Dagster holds after one run: metadata by model and by check."""
    selection = dg.AssetSelection.assets(*COMPARED) | dg.AssetSelection.checks_for_assets(*COMPARED)
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"dbt": dbt, "clickhouse": ClickHouse()}
        done = dg.materialize([dbt_models], selection=selection, resources=resources, instance=instance)
    found = {}
    for event in done.get_asset_materialization_events():
        found[event.asset_key.to_user_string()] = dict(event.materialization.metadata)
    for one in done.get_asset_check_evaluations():
        said = {"passed": one.passed, "severity": one.severity, **one.metadata}
        found[f"{one.asset_key.to_user_string()}:{one.check_name}"] = said
    return found


def test_dbt_in_this_process_and_dagster_dbts_command_line_record_the_same(clickhouse: Client) -> None:
    clickhouse.command(INSERT)
    ours, theirs = recorded(InProcessDbt()), recorded(dbt_resource(Settings(_env_file=None, orchestration_dbt="cli")))
    assert set(ours) == set(theirs)
    assert sum(":" in key for key in ours) == 6
    for key, metadata in theirs.items():
        assert set(metadata) <= set(ours[key]), key
    equal = ("dagster/row_count", "unique_id", "status", "passed", "severity")
    for key in ours:
        for name in {*equal, "dagster_dbt/failed_row_count"} & set(theirs[key]):
            assert ours[key][name] == theirs[key][name], (key, name)
        assert columns(ours[key]) == columns(theirs[key]), key
        assert lineage(theirs[key]).items() <= lineage(ours[key]).items(), key
    assert lineage(ours["intermediate/int_events"])["user_id"] == {("staging/stg_events", "user_id")}
    assert any(lineage(ours["live/live_minute"]).values()), "dagster-dbt reads nothing of this one"


def lineage(metadata: dict[str, Any]) -> dict[str, set[tuple[str, str]]]:
    found = metadata.get("dagster/column_lineage")
    deps = found.value.deps_by_column if found else {}
    return {name: {(dep.asset_key.to_user_string(), dep.column_name) for dep in deps[name]} for name in deps}


def columns(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    schema = metadata.get("dagster/column_schema")
    return [(column.name, column.type) for column in schema.schema.columns] if schema else []
