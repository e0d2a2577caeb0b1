"""Who may see incidents and who may do something about them, in ClickHouse."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.clickhouse import connect, mapped_errors
from contracts.errors import Permanent
from contracts.names import INCIDENT_ACTIONS, INCIDENTS, ROLE_DASHBOARD, ROLE_RESPONDER
from contracts.settings import Settings
from local.clickhouse.config import passwords

pytestmark = pytest.mark.clickhouse


def as_role(server: Settings, role: str) -> Client:
    secret = SecretStr(passwords(server.millrace_home / "server")[role])
    return connect(server.model_copy(update={"clickhouse_user": role, "clickhouse_password": secret}))


def acknowledge(client: Client) -> None:
    with mapped_errors():
        client.command(f"INSERT INTO {INCIDENT_ACTIONS} (fingerprint, action, by, note) VALUES ('f', 'ack', 'me', '')")


def test_the_dashboard_reads_incidents_and_may_not_write(clickhouse_server: Settings) -> None:
    with as_role(clickhouse_server, ROLE_DASHBOARD) as client:
        seen = client.query(f"SELECT count(count), count(values), count(group_name) FROM {INCIDENTS} FINAL").first_row
        assert len(set(seen)) == 1
        with pytest.raises(Permanent):
            acknowledge(client)


def test_a_responder_reads_incidents_and_adds_actions_only(clickhouse: Client, clickhouse_server: Settings) -> None:
    with as_role(clickhouse_server, ROLE_RESPONDER) as client:
        acknowledge(client)
        done = client.query(f"SELECT action, by FROM {INCIDENT_ACTIONS} WHERE fingerprint = 'f'").result_rows
        with pytest.raises(Permanent), mapped_errors():
            client.command(f"TRUNCATE TABLE {INCIDENT_ACTIONS}")
    clickhouse.command(f"TRUNCATE TABLE {INCIDENT_ACTIONS}")
    assert done == [("ack", "me")]
