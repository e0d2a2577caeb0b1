"""The pages of docs/how-to, followed word for word in a copy of the tree, on real servers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from sql.migrate import load
from tests.how_to import copy_of_the_tree, follow

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return copy_of_the_tree(tmp_path)


@pytest.fixture
def environment(clickhouse_server: Settings, tree: Path) -> dict[str, str]:
    """The copy's own code in front of what is installed, and the session's ClickHouse."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(tree),
        "CLICKHOUSE_PORT": str(clickhouse_server.clickhouse_port),
        "MILLRACE_HOME": str(tree / "var"),
    }


@pytest.fixture
def kafka_environment(environment: dict[str, str], make_settings: Callable[..., Settings]) -> dict[str, str]:
    settings = make_settings()
    names = ("kafka_broker_url", "kafka_topic", "kafka_group_id", "kafka_flush_interval", "ingest_metrics_port")
    return environment | {name.upper(): str(getattr(settings, name)) for name in names}


@pytest.fixture
def without_campaign(clickhouse: Client) -> Iterator[None]:
    """The session's server as it was before."""
    yield
    clickhouse.command("ALTER TABLE raw.events DROP COLUMN IF EXISTS campaign")
    clickhouse.command("ALTER TABLE ops.migrations DELETE WHERE version = 99 SETTINGS mutations_sync = 1")


def insert(client: Client, **columns: list[object]) -> None:
    number = len(next(iter(columns.values())))
    now = datetime.now(UTC)
    ledger = {"kafka_topic": ["t"] * number, "kafka_partition": [0] * number, "kafka_offset": list(range(number))}
    stamps = {name: [now] * number for name in ("event_time", "kafka_timestamp", "ingested_at")}
    rows = columns | ledger | stamps
    client.insert("raw.events", list(rows.values()), column_names=list(rows), column_oriented=True)


@pytest.mark.kafka
def test_a_new_field_lands_in_its_column(
    tree: Path, kafka_environment: dict[str, str], clickhouse: Client, without_campaign: None
) -> None:
    printed, (expected,) = follow("add-a-field.md", tree, kafka_environment)
    assert expected in printed
    assert clickhouse.query("SELECT user_id, campaign, properties FROM raw.events ORDER BY user_id").result_rows == [
        ("ada", "spring", ""),
        ("bob", "", ""),
    ]
    sharded = Settings(_env_file=None, clickhouse_cluster="c", clickhouse_replicated=False)
    altered = [statement.split()[2] for statement in load(sharded, tree / "sql" / "migrations")[-1].statements]
    assert altered == ["raw.events_local", "raw.`events`"]


def test_a_new_mart_is_built_and_answers(
    tree: Path, environment: dict[str, str], clickhouse: Client, clean_marts: None
) -> None:
    insert(
        clickhouse,
        event_id=["00000000-0000-0000-0000-00000000000" + str(number) for number in range(3)],
        event_type=["search", "search", "page_view"],
        user_id=["ada", "bob", "bob"],
        search_query=["Red Hat", "red hat", ""],
    )
    printed, (expected,) = follow("add-a-mart.md", tree, environment)
    assert printed == expected


def test_a_new_check_judges_and_is_documented(tree: Path, environment: dict[str, str], clickhouse: Client) -> None:
    insert(
        clickhouse,
        event_id=[f"00000000-0000-0000-0000-0000000000{number:02d}" for number in range(20)],
        event_type=["page_view"] * 20,
        user_id=["u"] * 20,
        page_url=["/a"] * 8 + [""] * 12,
    )
    printed, (expected,) = follow("add-a-check.md", tree, environment)
    assert printed == expected
    assert "### page_views_name_their_page" in (tree / "docs" / "checks.md").read_text()


def test_a_new_channel_takes_a_message(tree: Path, environment: dict[str, str]) -> None:
    printed, _ = follow("add-a-channel.md", tree, environment)
    assert "diary" in printed
    assert "sent" in printed
    (line,) = (tree / "diary.jsonl").read_text().splitlines()
    assert "Alerts reach this channel." in json.loads(line)["text"]
