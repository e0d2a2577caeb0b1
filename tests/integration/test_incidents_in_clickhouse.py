"""Incidents and their outbox in the real ClickHouse: nothing is lost and nothing doubled, wherever the process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.names import ALERT_OUTBOX, INCIDENT_ACTIONS, INCIDENTS
from contracts.settings import Settings
from local.paths import ROOT
from orchestration.alerts.incidents import Action
from orchestration.alerts.outbox import OutboxRow
from orchestration.alerts.store import ClickHouseStore
from tests.alert_tools import (
    NOON,
    STORY,
    Desk,
    MemoryStore,
    StandIn,
    passing,
    rules_of,
    seen,
    slack_settings,
    slack_stand_in,
)
from tests.patience import WAIT_SECONDS

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with slack_stand_in(tmp_path) as running:
        yield running


@pytest.fixture
def store(clickhouse_server: Settings) -> Iterator[ClickHouseStore]:
    with connect(clickhouse_server) as client:
        for table in (INCIDENTS, INCIDENT_ACTIONS, ALERT_OUTBOX):
            client.command(f"TRUNCATE TABLE {table}")
        yield ClickHouseStore(client)


@pytest.fixture
def desk(stand_in: StandIn, store: ClickHouseStore) -> Desk:
    return Desk(store, slack_settings(stand_in))


def test_the_real_store_and_the_one_in_memory_tell_the_same_story(
    desk: Desk, stand_in: StandIn, store: ClickHouseStore
) -> None:
    memory = Desk(MemoryStore(), desk.settings)
    for one in (desk, memory):
        for at, observation in STORY:
            one.tick(observation, at=at)
    real, (other,) = store.recent(NOON), memory.store.incidents.values()
    assert [one.fingerprint for one in real] == [other.fingerprint]
    assert {**vars(real[0]), "ts": ""} == {**vars(other), "ts": ""}
    assert store.waiting() == memory.store.waiting() == []
    assert store.posted("slack", "", NOON) == memory.store.posted("slack", "", NOON) == [NOON]
    assert store.posted("slack", "other", NOON) == memory.store.posted("slack", "other", NOON) == []
    assert len(stand_in.posts()) == 2


def test_limits_and_places_are_the_same_in_both_stores(desk: Desk, stand_in: StandIn, store: ClickHouseStore) -> None:
    memory = Desk(MemoryStore(), desk.settings)
    for one in (desk, memory):
        one.rules = rules_of(rate_limit={"messages": 1, "minutes": 60})
        for at in range(3):
            one.tick(seen(at, subject=f"check:{at}"), at=at)
        one.tick(passing(4, subject="check:1"), at=4)
    assert store.held("slack", "none") == memory.store.held("slack", "none") == 2
    assert [row.id for row in store.waiting()] == [row.id for row in memory.store.waiting()]
    first = next(iter(memory.store.incidents))
    assert store.place(first, "slack").startswith("C0LOCAL/")
    assert store.rejected(NOON) == []


def test_what_a_person_does_is_folded_in_once(desk: Desk, store: ClickHouseStore, stand_in: StandIn) -> None:
    desk.tick(seen(0), at=0)
    (incident,) = store.recent(NOON)
    store.add_action(incident.fingerprint, "ack", "ann's \\ ☃", "on it")
    desk.tick(at=5)
    desk.tick(at=10)
    (incident,) = store.recent(NOON)
    assert (incident.state, incident.acknowledged_by) == ("acknowledged", "ann's \\ ☃")
    assert stand_in.notes() == ["ann's \\ ☃: on it"]
    assert isinstance(store.actions()[0], Action)


_TICKER = """
import sys
from contracts.clickhouse import connect
from contracts.settings import Settings
from orchestration.alerts.store import ClickHouseStore
from tests.alert_tools import Desk, seen
port, url, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
where = {"clickhouse_host": "127.0.0.1", "clickhouse_port": port, "slack_api_url": url, "slack_channel": "#alerts"}
settings = Settings(_env_file=None, **where)
desk = Desk(ClickHouseStore(connect(settings)), settings)
print("begun", flush=True)
for number in range(count):
    desk.tick(seen(number, subject=f"check:{number}"), at=number)
"""


def test_a_process_that_is_really_killed_leaves_one_message_an_incident(
    stand_in: StandIn, store: ClickHouseStore, clickhouse_server: Settings
) -> None:
    count, arguments = 24, (str(clickhouse_server.clickhouse_port), f"{stand_in.url}/api/", "24")
    for deaths in (5, 14):
        process = subprocess.Popen([sys.executable, "-c", _TICKER, *arguments], cwd=ROOT, stdout=subprocess.PIPE)
        deadline = time.monotonic() + WAIT_SECONDS
        while len(stand_in.posts()) < deaths and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    desk = Desk(store, slack_settings(stand_in))
    desk.tick(*(seen(number, subject=f"check:{number}") for number in range(count)), at=60)
    for _ in range(5):  # on a busy machine a tick runs out of time and leaves the rest to the next
        desk.clock.moment += timedelta(minutes=2)
        desk.tick()
    assert len(stand_in.posts()) == count
    assert store.waiting() == []


def test_text_that_utf8_cannot_hold_is_stored_with_a_mark(desk: Desk, store: ClickHouseStore) -> None:
    desk.tick(seen(0, "i\ud800", summary="half \udfff", values={"window": "\ud800"}), at=0)
    (incident,) = store.recent(NOON)
    assert (incident.items, incident.summary) == (("i?",), "half ?")


def test_a_row_written_twice_is_one_row_and_an_older_version_changes_nothing(store: ClickHouseStore) -> None:
    row = OutboxRow("a", "f", "slack", "open", 1, "{}", NOON, NOON, NOON)
    store.write_outbox([row])
    store.write_outbox([row.sending(NOON)])
    store.write_outbox([row])
    (found,) = store.waiting()
    assert (found.state, found.attempts) == ("sending", 1)


def test_questions_stay_quick_when_there_is_a_long_history(store: ClickHouseStore, clickhouse: Client) -> None:
    """A year of alerts: what waits is found without reading what was said."""
    clickhouse.command(
        f"INSERT INTO {ALERT_OUTBOX} (id, incident, channel, kind, state, created_at, payload, version) "
        "SELECT hex(sipHash128(number)), toString(number), 'slack', 'open', 'delivered', now(), repeat('x', 500), 1 "
        "FROM numbers(50000)"
    )
    assert store.waiting() == []
    assert store.place("7", "slack") == ""
    read = "SELECT max(read_bytes) FROM system.query_log WHERE query LIKE '%alert_outbox FINAL WHERE id IN%'"
    clickhouse.command("SYSTEM FLUSH LOGS query_log")
    assert clickhouse.query(read).result_rows[0][0] < 25_000_000
