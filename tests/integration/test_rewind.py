"""A rewind reads Kafka again and writes what is missing, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from cli.main import run
from contracts.clickhouse import connect
from contracts.clock import SystemClock
from contracts.errors import UserError
from contracts.names import ROLE_INGEST
from contracts.settings import Settings
from local.clickhouse.config import passwords
from streaming.ingest.batch import Batch
from streaming.rewind.guard import one_rewind
from streaming.rewind.rewind import Found, RewindOptions, rewind
from streaming.rewind.target import Target
from tests.integration.ingest_tools import (
    good,
    in_both,
    ingest_all,
    landed,
    make_topic,
    produce,
    running_worker,
    wait_until,
)

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
MakeSettings = Callable[..., Settings]
BEGINNING = Target(moment=datetime(2020, 1, 1, tzinfo=UTC))


def again(settings: Settings, client: Client, target: Target = BEGINNING, **options: object) -> list[Found]:
    return rewind(settings, client, target, RewindOptions(SystemClock(), **options))  # type: ignore[arg-type]


def sums(found: list[Found]) -> tuple[int, int, int, int]:
    """Read, already there, events and dead letters."""
    counts = [(each.read, each.known, each.events, each.letters) for each in found]
    return tuple(map(sum, zip(*counts, strict=True)))  # type: ignore[return-value]


def delete(client: Client, where: str, table: str = "raw.events") -> None:
    client.command(f"ALTER TABLE {table} DELETE WHERE {where}", settings={"mutations_sync": 2})


@pytest.fixture
def filled(clickhouse: Client, make_settings: MakeSettings) -> tuple[Settings, list[tuple[int, int]]]:
    """A topic of 400 events and 40 dead letters in four partitions, all landed."""
    settings = make_settings(kafka_batch_size=100)
    make_topic(settings)
    values = good(440)
    values[7::11] = [b"bad"] * len(values[7::11])
    sent = produce(settings, values)
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sent
    return settings, sent


def test_what_was_deleted_comes_back_once(clickhouse: Client, filled: tuple[Settings, list[tuple[int, int]]]) -> None:
    settings, sent = filled
    delete(clickhouse, "kafka_offset % 7 = 3 AND kafka_offset < 100")
    delete(clickhouse, "kafka_offset < 50", "raw.dead_letters")
    missing = len(sent) - len(in_both(clickhouse, settings))
    assert missing > 50
    read, known, events, letters = sums(again(settings, clickhouse))
    assert (known + events + letters, events + letters, letters > 10) == (read, missing, True)
    assert in_both(clickhouse, settings) == sent


def test_a_second_rewind_finds_all_there_and_writes_nothing(
    clickhouse: Client, filled: tuple[Settings, list[tuple[int, int]]]
) -> None:
    settings, sent = filled
    delete(clickhouse, "kafka_offset < 20")
    again(settings, clickhouse)
    read, known, events, letters = sums(again(settings, clickhouse))
    assert (read, events, letters) == (known, 0, 0)
    assert in_both(clickhouse, settings) == sent


def test_rows_read_again_within_their_first_bounds_are_not_taken_for_a_repeat(
    clickhouse: Client, make_settings: MakeSettings
) -> None:
    """The server remembers a batch's token: the same batch, deleted and written again, was silently dropped."""
    settings = make_settings()
    make_topic(settings)
    sent = produce(settings, good(40))
    ingest_all(settings)
    for _ in range(2):
        delete(clickhouse, "kafka_offset < 9")
        again(settings, clickhouse)
        assert landed(clickhouse, settings) == sent


def test_a_dry_run_counts_and_writes_nothing(
    clickhouse: Client, filled: tuple[Settings, list[tuple[int, int]]]
) -> None:
    settings, _ = filled
    delete(clickhouse, "kafka_offset < 20")
    before = in_both(clickhouse, settings)
    assert sums(again(settings, clickhouse, dry_run=True))[2] == 80 - len([place for place in before if place[1] < 20])
    assert in_both(clickhouse, settings) == before
    assert clickhouse.query("SELECT count() FROM raw.rewinds").result_rows == [(0,)]


def test_only_the_stretch_that_was_asked_for_is_read(
    clickhouse: Client, filled: tuple[Settings, list[tuple[int, int]]]
) -> None:
    settings, _ = filled
    events = landed(clickhouse, settings)
    delete(clickhouse, "kafka_offset < 100")
    again(settings, clickhouse, Target(offset=60, partition=2))
    back = [place for place in landed(clickhouse, settings) if place[1] < 100]
    assert back == [place for place in events if place[0] == 2 and 60 <= place[1] < 100]
    assert len(back) > 30


def test_offsets_above_the_mark_are_left_to_the_workers(clickhouse: Client, make_settings: MakeSettings) -> None:
    settings = make_settings()
    make_topic(settings)
    sent = produce(settings, good(40))
    ingest_all(settings)
    later = produce(settings, good(40))
    assert sums(again(settings, clickhouse))[2:] == (0, 0)
    assert in_both(clickhouse, settings) == sent
    ingest_all(settings)
    assert in_both(clickhouse, settings) == sorted(sent + later)


def test_it_runs_beside_a_worker(clickhouse: Client, filled: tuple[Settings, list[tuple[int, int]]]) -> None:
    settings, sent = filled
    with running_worker(settings) as raised:
        for _ in range(3):
            delete(clickhouse, "kafka_offset < 60")
            more = produce(settings, good(200))
            again(settings, clickhouse)
            sent = sorted(sent + more)
        wait_until(lambda: len(in_both(clickhouse, settings)) >= len(sent))
        assert raised == []
    assert in_both(clickhouse, settings) == sent


class Dies:
    """A writer whose process dies at its second batch, after the insert landed."""

    def __init__(self, writer: object) -> None:
        self._writer = writer
        self._batches = 0

    def write(self, batch: Batch) -> None:
        self._writer.write(batch)  # type: ignore[attr-defined]
        self._batches += 1
        if self._batches == 2:
            raise RuntimeError("died")


def test_one_that_died_is_repeated_without_doubling(
    clickhouse: Client, filled: tuple[Settings, list[tuple[int, int]]]
) -> None:
    settings, sent = filled
    delete(clickhouse, "kafka_offset < 90")
    with pytest.raises(RuntimeError):
        again(settings.model_copy(update={"kafka_batch_size": 10}), clickhouse, wrap_writer=Dies)
    assert 20 <= len([place for place in in_both(clickhouse, settings) if place[1] < 90]) < 360
    again(settings, clickhouse)
    assert in_both(clickhouse, settings) == sent
    still_open = "SELECT run FROM raw.rewinds GROUP BY run, kafka_partition HAVING max(is_done) = false"
    assert clickhouse.query(still_open).result_rows == []


def test_a_second_one_at_the_same_time_is_refused(
    clickhouse: Client, filled: tuple[Settings, list[tuple[int, int]]]
) -> None:
    settings, _ = filled
    with one_rewind(settings.millrace_home), pytest.raises(UserError, match="another"):
        again(settings, clickhouse)


def test_the_command_says_what_it_found(
    clickhouse: Client,
    filled: tuple[Settings, list[tuple[int, int]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings, _ = filled
    delete(clickhouse, "kafka_offset < 5 AND kafka_partition = 1")
    for name in ("kafka_broker_url", "kafka_topic", "kafka_group_id", "millrace_home", "clickhouse_port"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    monkeypatch.setenv("CLICKHOUSE_HOST", "127.0.0.1")
    assert run(["rewind", "--to-time", "2h"]) == 0
    said = capsys.readouterr().out
    assert f"{settings.kafka_topic}:1: offsets 0 to" in said
    assert "all: read" in said
    assert "the next run of the marts folds" in said
    assert run(["rewind", "--to-time", "2h", "--dry-run", "--json"]) == 0
    stretches = json.loads(capsys.readouterr().out)
    assert {each["partition"] for each in stretches} >= {0, 1}
    assert all(each["read"] == each["known"] and not each["events"] for each in stretches)


def test_the_ingest_users_rights_are_enough(
    clickhouse: Client, clickhouse_server: Settings, filled: tuple[Settings, list[tuple[int, int]]]
) -> None:
    settings, sent = filled
    delete(clickhouse, "kafka_offset < 20")
    secret = SecretStr(passwords(clickhouse_server.millrace_home / "server")[ROLE_INGEST])
    limited = settings.model_copy(update={"clickhouse_user": ROLE_INGEST, "clickhouse_password": secret})
    again(limited, connect(limited))
    assert in_both(clickhouse, settings) == sent
