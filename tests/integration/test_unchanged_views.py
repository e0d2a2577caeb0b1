"""A run makes only those views again whose text, or whose project, has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.dbt_runs import dbt

pytestmark = [pytest.mark.clickhouse]


@pytest.fixture
def run(clean_marts: None, clickhouse_server: Settings, tmp_path: Path) -> Callable[..., None]:
    def run_views(*arguments: str) -> None:
        statuses = dbt(clickhouse_server, tmp_path, "run", "--select", "stg_events", "stg_dead_letters", *arguments)
        assert set(statuses.values()) == {"success"}, statuses

    return run_views


def comments(client: Client) -> dict[str, str]:
    return dict(client.query("SELECT name, comment FROM system.tables WHERE database = 'staging'").result_rows)


def test_a_view_is_left_alone_made_again_when_it_differs_and_made_anew_when_it_is_gone(
    clickhouse: Client, run: Callable[..., None]
) -> None:
    run()
    fresh = comments(clickhouse)
    assert all(comment.startswith("made from ") for comment in fresh.values())
    uuid = "SELECT uuid FROM system.tables WHERE database = 'staging' AND name = 'stg_events'"
    first = clickhouse.query(uuid).result_rows
    run()
    assert clickhouse.query(uuid).result_rows == first
    clickhouse.command("CREATE OR REPLACE VIEW staging.stg_events AS SELECT 1 AS wrong")
    clickhouse.command("DROP VIEW staging.stg_dead_letters")
    run()
    assert comments(clickhouse) == fresh
    assert clickhouse.query("SELECT count() FROM staging.stg_events WHERE event_id IS NULL").result_rows == [(0,)]
