"""Migrations: numbered, rendered for one node or a cluster, and refused when they make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import Permanent
from contracts.names import ROLE_DASHBOARD, SHARDED
from contracts.settings import Settings
from sql.grants import grants
from sql.migrate import load


def test_the_projects_migrations_are_numbered_without_gaps() -> None:
    versions = [migration.version for migration in load(Settings(_env_file=None))]
    assert versions == list(range(1, len(versions) + 1))


def statements(**cluster: object) -> list[str]:
    migrations = load(Settings(_env_file=None, **cluster))
    return [" ".join(statement.split()) for migration in migrations for statement in migration.statements]


def created(name: str, made: list[str]) -> str:
    (found,) = (statement for statement in made if statement.startswith(f"CREATE TABLE IF NOT EXISTS {name} "))
    return found


def test_on_one_server_nothing_is_replicated_or_distributed() -> None:
    text = " ".join(statements())
    for word in ("CLUSTER", "Replicated", "Distributed", "_local", "{"):
        assert word not in text.replace("{shard}", ""), word


def test_on_a_cluster_each_sharded_table_is_replicated_in_its_shard_behind_a_distributed_one() -> None:
    made = statements(clickhouse_cluster="prod")
    for table in SHARDED:
        assert "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'" in created(f"{table}_local", made)
        database, name = table.split(".")
        assert f"ENGINE = Distributed('prod', '{database}', '{name}_local'" in created(table, made)


def test_on_a_cluster_every_other_table_is_replicated_to_every_server() -> None:
    (table,) = (
        one for one in statements(clickhouse_cluster="prod") if "TABLE IF NOT EXISTS ops.model_watermarks " in one
    )
    place = "'/clickhouse/tables/common/{database}/{table}', '{shard}_{replica}'"
    assert f"ReplicatedReplacingMergeTree({place}, kafka_offset)" in table


def test_on_a_cluster_every_statement_goes_to_every_server_and_none_changes_a_distributed_table() -> None:
    for statement in statements(clickhouse_cluster="prod"):
        assert "ON CLUSTER 'prod'" in statement
        for table in SHARDED:
            assert f"ALTER TABLE {table} " not in statement
            assert f"FROM {table} " not in statement
            assert f"TO {table} " not in statement


def test_without_keeper_a_cluster_has_distributed_tables_and_no_replicas() -> None:
    text = " ".join(statements(clickhouse_cluster="prod", clickhouse_replicated=False))
    assert "Distributed('prod', 'raw', 'events_local', kafka_partition)" in text
    assert "Replicated" not in text
    assert "ON CLUSTER" not in text


def test_on_a_cluster_whoever_may_read_a_sharded_table_may_read_its_shards() -> None:
    rights = grants(ROLE_DASHBOARD, is_sharded=True)
    assert {"SELECT ON raw.events", "SELECT ON raw.events_local"} <= set(rights)
    assert "SELECT ON raw.events_local" not in grants(ROLE_DASHBOARD)


def test_one_number_used_twice_is_refused(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(Permanent, match="each number once"):
        load(Settings(_env_file=None), tmp_path)
