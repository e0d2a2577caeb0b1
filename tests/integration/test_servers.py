"""The real servers start, take the migrations, and refuse what the roles do not allow."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.clickhouse import connect, mapped_errors
from contracts.errors import Permanent
from contracts.names import ROLE_INGEST
from contracts.settings import Settings
from local.clickhouse.config import passwords
from sql.migrate import migrate

pytestmark = pytest.mark.clickhouse


def test_a_second_migration_changes_nothing(clickhouse: Client, clickhouse_server: Settings) -> None:
    assert migrate(clickhouse, clickhouse_server) == []


def test_the_ingest_user_may_read_offsets_but_no_events(clickhouse_server: Settings) -> None:
    secret = passwords(clickhouse_server.millrace_home / "server")[ROLE_INGEST]
    settings = clickhouse_server.model_copy(
        update={"clickhouse_user": ROLE_INGEST, "clickhouse_password": SecretStr(secret)}
    )
    client = connect(settings)
    assert client.query("SELECT max(kafka_offset) FROM raw.events").result_rows
    with pytest.raises(Permanent, match=r"ACCESS_DENIED|Not enough privileges"), mapped_errors():
        client.query("SELECT user_id FROM raw.events")


def test_a_query_of_the_local_stack_uses_two_processors_although_little_memory_is_allowed(clickhouse: Client) -> None:
    query = "EXPLAIN PIPELINE SELECT sum(number) FROM numbers_mt(100000000) SETTINGS max_threads = 2"
    assert "NumbersRange \N{MULTIPLICATION SIGN} 2" in clickhouse.command(query)
