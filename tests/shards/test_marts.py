"""Two shards give every answer that one server gives."""

from __future__ import annotations

from pathlib import Path

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.names import MARTS, SHARDED
from contracts.settings import Settings
from tests.dbt_runs import dbt
from tests.events import Landing, history
from tests.tables import drop_models, empty_raw

# The statistics of experiments come from Python, not from dbt.
NEEDS_PYTHON = {"experiment_results", "experiment_results_hourly"}


def run_models(settings: Settings, folder: Path, *arguments: str) -> None:
    statuses = dbt(settings, folder, "run", *arguments)
    assert set(statuses.values()) == {"success"}, statuses


def contents(client: Client) -> dict[str, list[str]]:
    return {mart: sorted(map(repr, client.query(f"SELECT * FROM marts.{mart}").result_rows)) for mart in MARTS}


def test_every_mart_gives_the_same_answers_as_on_one_server(
    clickhouse: Client, clean_marts: None, shards: list[Settings], one_clickhouse: Settings, tmp_path: Path
) -> None:
    events = history(seed=3, events=600)
    landing = Landing(clickhouse, partitions=5)
    for part in (events[:200], events[200:400], events[400:]):
        landing.land(part)
        run_models(shards[0], tmp_path / "two")
    on_shards = contents(clickhouse)
    with connect(one_clickhouse) as alone:
        empty_raw(alone)
        drop_models(alone)
        Landing(alone, partitions=5).land(events)
        run_models(one_clickhouse, tmp_path / "one")
        on_one = contents(alone)
    assert {mart for mart, rows in on_one.items() if not rows} <= NEEDS_PYTHON
    assert on_shards == on_one
    run_models(shards[0], tmp_path / "two", "--full-refresh")
    assert contents(clickhouse) == on_one


def test_a_partitions_events_are_on_one_shard_and_each_shard_has_some(
    clickhouse: Client, shards: list[Settings]
) -> None:
    Landing(clickhouse, partitions=5).land(history(seed=4, events=200))
    held = []
    for settings in shards:
        with connect(settings) as client:
            rows = client.query("SELECT DISTINCT kafka_partition FROM raw.events_local").result_rows
            held.append({row[0] for row in rows})
    assert all(held)
    assert not held[0] & held[1]
    assert held[0] | held[1] == set(range(5))


def test_a_distributed_table_has_the_columns_of_its_shards(clickhouse: Client) -> None:
    query = "SELECT name, type FROM system.columns WHERE (database, table) = ({d:String}, {t:String}) ORDER BY position"
    for name in SHARDED:
        database, table = name.split(".")
        both = [
            clickhouse.query(query, parameters={"d": database, "t": each}).result_rows
            for each in (table, f"{table}_local")
        ]
        assert both[0] == both[1] != [], name


def test_with_keeper_dbt_asks_for_tables_that_are_replicated_to_every_server(
    clickhouse: Client, clean_marts: None, shards: list[Settings], tmp_path: Path
) -> None:
    """There is no Keeper here, so what dbt asks for is refused; its log has the statement."""
    asked = shards[0].model_copy(update={"clickhouse_replicated": True})
    statuses = dbt(asked, tmp_path, "--log-level-file", "debug", "run", "--select", "int_funnel_definitions")
    assert statuses == {"int_funnel_definitions": "error"}
    log = (tmp_path / "log" / "dbt.log").read_text()
    assert "ReplicatedMergeTree('/clickhouse/tables/common/{uuid}', '{shard}_{replica}')" in log
    assert "ON CLUSTER" in log
