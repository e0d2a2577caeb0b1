"""Runs that die, run at once or find nothing merged leave marts that are those of a full rebuild."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.dbt_runs import process
from tests.events import Landing, history
from tests.integration.ingest_tools import wait_until
from tests.oracle import marts
from tests.patience import WAIT_SECONDS
from tests.replay.comparison import assert_same, contents

pytestmark = [pytest.mark.clickhouse]
Run = Callable[..., None]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("int_events", marks=pytest.mark.long),
        "int_user_daily",
        pytest.param("int_item_users", marks=pytest.mark.long),
    ],
)
def test_a_run_that_is_killed_is_made_up_for_by_the_next(
    model: str, clickhouse: Client, clickhouse_server: Settings, run: Run, folder: Path
) -> None:
    events, landing = history(11, 240), Landing(clickhouse, partitions=1)
    landing.land(events[:100])
    run()
    landing.land(events[100:])
    written = rows_of(clickhouse, model)
    victim = process(clickhouse_server, folder)
    wait_until(lambda: rows_of(clickhouse, model) != written)
    victim.kill()
    assert victim.wait(WAIT_SECONDS) != 0, "the run was done before it was killed"
    landing.land(events[:50])
    run()
    after = contents(clickhouse)
    run("--full-refresh")
    assert after == contents(clickhouse)
    for name, expected in marts(events).items():
        assert_same(clickhouse, name, expected)


def rows_of(clickhouse: Client, model: str) -> int:
    """How many rows a model's table has, those that a merge is to remove among them."""
    return int(clickhouse.query(f"SELECT count() FROM intermediate.{model}").result_rows[0][0])


def test_two_runs_at_once_leave_what_one_would(
    clickhouse: Client, clickhouse_server: Settings, run: Run, folder: Path, tmp_path: Path
) -> None:
    events, landing = history(12, 240), Landing(clickhouse)
    landing.land(events[:100])
    run()
    landing.land(events[100:170])
    both = [process(clickhouse_server, tmp_path / name) for name in ("one", "two")]
    landing.land(events[170:])
    assert [each.wait(WAIT_SECONDS) for each in both] == [0, 0]
    run()
    after = contents(clickhouse)
    run("--full-refresh")
    assert after == contents(clickhouse)
    for name, expected in marts(events).items():
        assert_same(clickhouse, name, expected)


def test_a_run_leaves_no_keys_and_minds_none_that_another_left(clickhouse: Client, run: Run) -> None:
    events, landing = history(14, 120), Landing(clickhouse)
    landing.land(events[:60])
    clickhouse.command(
        "INSERT INTO ops.landed_keys (invocation_id, user_id, event_time) VALUES ('died', 'nobody', now())"
    )
    run()
    landing.land(events[60:])
    run()
    assert clickhouse.query("SELECT DISTINCT invocation_id FROM ops.landed_keys").result_rows == [("died",)]
    clickhouse.command("TRUNCATE TABLE ops.landed_keys")
    for name, expected in marts(events).items():
        assert_same(clickhouse, name, expected)


def test_the_marts_do_not_wait_for_merges(clickhouse: Client, run: Run) -> None:
    """What a run computes again lies beside what it was, until a merge that may come much later."""
    events, landing = history(13, 240), Landing(clickhouse)
    landing.land(events[:80])
    run()
    try:
        clickhouse.command("SYSTEM STOP MERGES")
        for part in (events[80:160], events[160:], events[:60]):
            landing.land(part)
            run()
        for name, expected in marts(events).items():
            assert_same(clickhouse, name, expected)
    finally:
        clickhouse.command("SYSTEM START MERGES")
