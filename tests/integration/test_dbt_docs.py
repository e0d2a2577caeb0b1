"""`dbt docs`: every model with every column, described, and who reads the marts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner

from contracts.names import LIVE_MODELS, MARTS
from contracts.settings import Settings
from tests.dbt_runs import PROJECT, dbt, environment, parsed

pytestmark = [pytest.mark.clickhouse]
Documents = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture
def documents(clickhouse: Client, clean_marts: None, clickhouse_server: Settings, tmp_path: Path) -> Documents:
    """The manifest and the catalog that `dbt docs generate` writes."""
    assert set(dbt(clickhouse_server, tmp_path, "run").values()) == {"success"}
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    with environment(clickhouse_server, tmp_path):
        done = dbtRunner(manifest=parsed(clickhouse_server)).invoke(["--quiet", "docs", "generate", *folders])
    assert done.success, done.exception
    manifest, catalog = (
        json.loads((tmp_path / "target" / f"{name}.json").read_text()) for name in ("manifest", "catalog")
    )
    return manifest, catalog


def test_the_docs_show_every_model_and_describe_its_columns_as_the_server_has_them(documents: Documents) -> None:
    manifest, catalog = documents
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    assert set(models) == set(catalog["nodes"])
    assert {*MARTS, *LIVE_MODELS} <= {node["name"] for node in models.values()}
    assert not catalog["errors"]
    public = [key for key, node in models.items() if node["schema"] in {"marts", "live"}]
    for key in public:
        described = {name for name, column in models[key]["columns"].items() if len(column["description"]) > 5}
        assert described == set(catalog["nodes"][key]["columns"]), key
        assert models[key]["description"], key


def test_every_mart_has_somebody_who_reads_it(clickhouse_server: Settings, tmp_path: Path) -> None:
    with environment(clickhouse_server, tmp_path):
        exposures = parsed(clickhouse_server).exposures.values()
    read = {key for exposure in exposures for key in exposure.depends_on.nodes}
    assert {f"model.millrace.{name}" for name in (*MARTS, *LIVE_MODELS)} <= read
