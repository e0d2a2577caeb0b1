"""The marts keep what they folded in when a day leaves raw, and are not rebuilt without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from archive.drop import drop_old_days
from archive.restore import restore_day
from archive.write import archive_day
from contracts.errors import UserError
from contracts.settings import Settings
from orchestration.assets.landed_days import _refuse_archived
from orchestration.resources.clickhouse import ClickHouse
from tests.dbt_runs import dbt
from tests.integration.archive_tools import DAY, NEXT, fill, make_archive

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]

_MODELS = ("--select", "+fct_item")


def totals(client: Client) -> list[Any]:
    return [
        client.query(query).result_rows
        for query in (
            "SELECT count(), sum(revenue) FROM intermediate.int_events FINAL",
            "SELECT sum(interactions) FROM marts.fct_item",
        )
    ]


def test_marts_lose_nothing_by_a_drop_and_a_rebuild_waits_for_the_restore(
    clean_marts: None,
    clickhouse: Client,
    clickhouse_server: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", str(clickhouse_server.clickhouse_port))
    fill(clickhouse, DAY)
    fill(clickhouse, NEXT, base=100)
    assert set(dbt(clickhouse_server, tmp_path, "run", *_MODELS).values()) <= {"success", "no-op"}
    archive = make_archive(clickhouse, clickhouse_server, tmp_path)
    archive_day(archive, DAY)
    assert [each.held for each in drop_old_days(archive, 18)] == [None, None]
    before = totals(clickhouse)
    fill(clickhouse, NEXT, base=200)
    assert set(dbt(clickhouse_server, tmp_path, "run", *_MODELS).values()) <= {"success", "no-op"}
    assert totals(clickhouse)[0][0][0] > before[0][0][0] > 0
    incremental = totals(clickhouse)
    refused = dbt(clickhouse_server, tmp_path, "run", "--full-refresh", "--select", "int_events")
    assert refused == {"int_events": "error"}
    with pytest.raises(UserError, match=f"millrace restore {DAY}"):
        _refuse_archived(ClickHouse(), [NEXT, DAY])
    assert totals(clickhouse) == incremental
    restore_day(archive, DAY)
    dbt(clickhouse_server, tmp_path, "run", "--full-refresh", *_MODELS)
    assert totals(clickhouse) == incremental
