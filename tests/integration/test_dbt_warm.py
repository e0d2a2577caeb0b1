"""What a warm process spares each of its runs, on a real server."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.settings import Settings
from orchestration.resources.dbt_warm import greet_once

pytestmark = [pytest.mark.clickhouse]
ASKED = """
SELECT count() FROM system.query_log
WHERE type = 'QueryFinish' AND http_user_agent LIKE 'greeting%' AND query LIKE '%system.settings%'
"""


def test_a_process_asks_a_server_for_its_settings_once(
    clickhouse: Client, clickhouse_server: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_init_common_settings", "_apply_init_result"):
        monkeypatch.setattr(Client, name, getattr(Client, name))  # put back when the test is over
    greet_once()
    first, second = (connect(clickhouse_server, client_name="greeting") for _ in range(2))
    assert second.server_settings == first.server_settings
    assert (second.server_version, second.server_tz) == (first.server_version, first.server_tz)
    assert second.query("SELECT 1").result_rows == [(1,)]
    clickhouse.command("SYSTEM FLUSH LOGS")
    assert clickhouse.query(ASKED).result_rows == [(1,)]
