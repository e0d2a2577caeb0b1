"""dbt runs for the tests of the marts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.settings import Settings
from tests.dbt_runs import dbt


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps what it parsed."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, folder: Path) -> Callable[..., None]:
    """Runs the models with dbt's options; begins without any."""

    def run_models(*arguments: str) -> None:
        statuses = dbt(clickhouse_server, folder, "run", *arguments)
        assert set(statuses.values()) == {"success"}, statuses

    return run_models
