"""What CLICKHOUSE_NICE asks of the server, through each way that leads there."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.clickhouse import connect
from contracts.settings import Settings
from tests.dbt_runs import dbt

pytestmark = pytest.mark.clickhouse


def test_a_client_gives_way(clickhouse_server: Settings) -> None:
    with connect(clickhouse_server.model_copy(update={"clickhouse_nice": 7})) as client:
        assert client.command("SELECT getSetting('os_thread_priority')") == 7


def test_dbt_gives_way(clickhouse_server: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_NICE", "7")
    asked = "select throwIf(getSetting('os_thread_priority') != 7) as given"
    assert dbt(clickhouse_server, tmp_path, "show", "--inline", asked) == {"inline_query": "success"}
