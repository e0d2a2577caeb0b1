"""Migrations: numbered, rendered for one node or a cluster, and refused when they make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import Permanent
from contracts.settings import Settings
from sql.migrate import load


def test_the_projects_migrations_are_numbered_without_gaps() -> None:
    versions = [migration.version for migration in load(Settings(_env_file=None))]
    assert versions == list(range(1, len(versions) + 1))


def test_a_cluster_name_makes_the_tables_replicated_everywhere() -> None:
    migrations = load(Settings(_env_file=None, clickhouse_cluster="prod"))
    text = " ".join(statement for migration in migrations for statement in migration.statements)
    assert "ON CLUSTER 'prod'" in text
    assert "ReplicatedMergeTree(" in text


def test_one_number_used_twice_is_refused(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(Permanent, match="each number once"):
        load(Settings(_env_file=None), tmp_path)
