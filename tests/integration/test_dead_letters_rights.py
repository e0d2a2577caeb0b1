"""What the role for dead letters may do in ClickHouse, and how a missing right is told."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.names import ROLE_DASHBOARD, ROLE_LETTERS
from contracts.settings import Settings
from local.clickhouse.config import passwords
from tests.integration.ingest_tools import ingest_all, make_topic
from tests.integration.letters_tools import MakeSettings, letters, place, produce_bad, replays

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]


def as_role(settings: Settings, server: Settings, role: str) -> Settings:
    secret = SecretStr(passwords(server.millrace_home / "server")[role])
    return settings.model_copy(update={"clickhouse_user": role, "clickhouse_password": secret})


@pytest.mark.usefixtures("clickhouse")
def test_the_roles_rights_are_enough_for_every_command(
    make_settings: MakeSettings, clickhouse_server: Settings
) -> None:
    settings = make_settings()
    make_topic(settings)
    first, second = produce_bad(settings, [b"one", b"two"])
    ingest_all(settings)
    mine = as_role(settings, clickhouse_server, ROLE_LETTERS)
    assert len(letters(mine, "list", "--rows", "--json").json) == 2
    assert letters(mine, "replay", place(settings, first), "--yes").code == 0
    assert letters(mine, "drop", place(settings, second), "--yes").code == 0
    assert "replayed to" in letters(mine, "show", place(settings, first)).text
    assert list(replays(settings)) == [place(settings, first)]


def test_a_role_without_the_rights_is_told_in_one_line(
    clickhouse: Client, make_settings: MakeSettings, clickhouse_server: Settings
) -> None:
    done = letters(as_role(make_settings(), clickhouse_server, ROLE_DASHBOARD), "replay", "--all", "--yes")
    assert (done.code, done.error.count("\n")) == (1, 1)
    assert "may not" in done.error
