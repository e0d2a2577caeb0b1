"""dbt's models as assets, run in this process against a real ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from orchestration.assets import dbt_models as module
from orchestration.assets.dbt_models import dbt_models
from orchestration.resources.clickhouse import ClickHouse
from orchestration.resources.dbt import InProcessDbt, NodeResult

pytestmark = [pytest.mark.clickhouse]

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

    def listen(self: InProcessDbt, command: str, arguments: Sequence[str] = ()) -> list[NodeResult]:
        calls.append(" ".join([command, *arguments]))
        return invoke(self, command, arguments)

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
