"""Exactly once into two shards, also when one of them dies, and every command reads both."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.clickhouse import connect
from contracts.names import ROLE_INGEST, RUNNING_QUERIES
from contracts.settings import Settings
from local.clickhouse.config import passwords
from local.service import RunningService
from tests.integration.audit_tools import audited
from tests.integration.ingest_tools import (
    good,
    in_both,
    ingest_all,
    landed,
    make_topic,
    produce,
    running_worker,
    wait_until,
    worker_process,
)
from tests.integration.test_dead_letters_replay import (  # noqa: F401 - run here again, against two shards
    sent,
    settings,
    test_a_letter_that_fails_again_can_be_replayed_again,
    test_replayed_letters_say_where_they_went_and_what_they_became,
    test_replaying_twice_sends_once,
)
from tests.integration.test_ingest_faults import state
from tests.integration.test_live import (  # noqa: F401 - run here again, against two shards
    folder,
    live,
    place,
    test_a_workers_events_are_there_with_the_figures_of_an_independent_count,
    test_active_users_are_counted_once_over_minutes_and_devices,
    test_top_pages_and_items_count_each_event_once,
)
from tests.integration.test_search import (  # noqa: F401 - run here again, against two shards
    rows,
    test_an_event_that_a_client_sent_again_is_shown_once,
    test_each_field_finds_its_events_newest_first,
)

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]
Shards = list[tuple[RunningService, Settings]]


def test_kill_9_of_a_worker_loses_and_doubles_nothing(
    clickhouse: Client, clickhouse_server: Settings, make_settings: MakeSettings
) -> None:
    secret = SecretStr(passwords(clickhouse_server.millrace_home / "server")[ROLE_INGEST])
    own = make_settings(clickhouse_user=ROLE_INGEST, clickhouse_password=secret)
    make_topic(own)
    values: list[bytes | None] = [*good(20_000)]
    for at in random.Random(5).sample(range(len(values)), 100):
        values[at] = b"bad"
    produced = produce(own, values)
    victim = worker_process(own, KAFKA_BATCH_SIZE="500")
    wait_until(lambda: len(landed(clickhouse, own)) > 1_000)
    victim.kill()
    victim.wait(10)
    assert len(landed(clickhouse, own)) < len(produced), "the worker was done before it was killed"
    ingest_all(own.model_copy(update={"kafka_group_id": "next-" + own.kafka_group_id}))
    assert in_both(clickhouse, own) == produced
    report = audited(clickhouse, own)
    assert (report.lost, report.surplus) == (0, 0)


def test_a_shard_may_go_and_come_back(clickhouse: Client, shard_servers: Shards, make_settings: MakeSettings) -> None:
    (_, first), (second, _) = shard_servers
    own = make_settings()
    make_topic(own)
    produced = produce(own, [*good(100), b"bad"])
    with running_worker(own) as raised:
        wait_until(lambda: in_both(clickhouse, own) == produced)
        second.kill()
        produced = sorted(produced + produce(own, [*good(500), b"bad"]))
        wait_until(lambda: "waiting for ClickHouse" in str(state(own).get("reason")))
        second.start()
        second.wait_ready()
        wait_until(lambda: in_both(connect(first), own) == produced)
        wait_until(lambda: state(own)["state"] == "running")
        assert not raised


def test_what_runs_is_looked_for_on_every_shard(clickhouse: Client) -> None:
    """A new owner waits for the inserts it finds here; this query finds its own two parts."""
    query = f"SELECT count() FROM {RUNNING_QUERIES} WHERE query_id = 'millrace-test:1'"
    assert clickhouse.query(query, settings={"query_id": "millrace-test:1"}).result_rows == [(2,)]
