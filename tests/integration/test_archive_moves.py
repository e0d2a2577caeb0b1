"""Days leave ClickHouse and come back bit for bit, whatever dies half-way, and the audit agrees at each moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from archive.drop import drop_old_days
from archive.place import Archive
from archive.restore import restore_day
from archive.write import archive_day
from contracts.errors import Permanent, RetryLater, UserError
from contracts.settings import Settings
from streaming.ingest.offsets import Ledger
from streaming.ingest.records import Partition
from streaming.rewind.known import Known
from tests.integration.archive_tools import (
    DAY,
    NEXT,
    TOPIC,
    Crash,
    audited,
    crashing,
    fill,
    fold_in,
    make_archive,
    whole_rows,
)

pytestmark = pytest.mark.clickhouse
NOTHING = {"raw.events": (0, 0), "raw.dead_letters": (0, 0)}
PARTITIONS = [Partition(TOPIC, 0), Partition(TOPIC, 7)]


@pytest.fixture
def archive(clickhouse: Client, clickhouse_server: Settings, tmp_path: Path) -> Archive:
    """Two days of rows, all in the marts, and the first one archived."""
    fill(clickhouse, DAY)
    fill(clickhouse, NEXT, base=100)
    made = make_archive(clickhouse, clickhouse_server, tmp_path)
    archive_day(made, DAY)
    fold_in(clickhouse)
    return made


def dropped(archive: Archive, days: int = 18) -> dict[str, int]:
    """Drop what is older than so many days; on the 20th, 18 keep the second of March."""
    done = drop_old_days(archive, days)
    assert [each.held for each in done if each.held] == []
    return {f"{each.table} {each.day}": each.rows for each in done}


def assert_all_there(client: Client, rows: int = 400) -> None:
    report = audited(client)
    assert (report.verdict, report.lost, report.surplus) == ("complete", 0, 0)
    assert sum(each.events + each.letters for each in report.partitions) == rows


def test_a_day_leaves_and_comes_back_bit_for_bit(archive: Archive, clickhouse: Client) -> None:
    before = whole_rows(clickhouse)
    assert before["raw.events"][0] == 180
    assert dropped(archive) == {"raw.events 2026-03-01": 180, "raw.dead_letters 2026-03-01": 20}
    assert whole_rows(clickhouse) == NOTHING
    assert_all_there(clickhouse)
    assert [each.rows for each in restore_day(archive, DAY)] == [180, 20]
    assert whole_rows(clickhouse) == before
    assert_all_there(clickhouse)


def test_each_step_may_be_repeated(archive: Archive, clickhouse: Client) -> None:
    before = whole_rows(clickhouse)
    dropped(archive)
    assert dropped(archive) == {}
    assert [each.is_new for each in archive_day(archive, DAY)] == [False, False]
    restore_day(archive, DAY)
    assert [(each.rows, each.there) for each in restore_day(archive, DAY)] == [(0, 180), (0, 20)]
    assert [each.is_new for each in archive_day(archive, DAY)] == [False, False]
    assert whole_rows(clickhouse) == before
    assert_all_there(clickhouse)


def test_a_drop_that_dies_at_any_step_loses_nothing_and_is_finished_by_the_next(
    archive: Archive, clickhouse: Client
) -> None:
    before = whole_rows(clickhouse)
    for step in ("moving", "aside", "compare", "drop", "dropped"):
        with pytest.raises(Crash):
            drop_old_days(replace(archive, at=crashing(step)), 18)
        assert_all_there(clickhouse)
        dropped(archive)
        assert whole_rows(clickhouse) == NOTHING
        assert_all_there(clickhouse)
        restore_day(archive, DAY)
        assert whole_rows(clickhouse) == before


def test_a_restore_that_dies_at_any_step_loses_nothing_and_is_finished_by_the_next(
    archive: Archive, clickhouse: Client
) -> None:
    before = whole_rows(clickhouse)
    for step in ("load", "moving", "attach", "compare", "record"):
        dropped(archive)
        with pytest.raises(Crash):
            restore_day(replace(archive, at=crashing(step)), DAY)
        assert_all_there(clickhouse)
        restore_day(archive, DAY)
        assert whole_rows(clickhouse) == before
        assert_all_there(clickhouse)


def test_a_restore_brings_back_only_what_is_missing_after_the_server_died_in_its_midst(
    archive: Archive, clickhouse: Client
) -> None:
    before = whole_rows(clickhouse)
    dropped(archive)
    restore_day(archive, DAY)
    clickhouse.command("ALTER TABLE raw.events DELETE WHERE kafka_offset < 30", settings={"mutations_sync": 2})
    assert [each.rows for each in restore_day(archive, DAY)] == [54, 0]
    assert whole_rows(clickhouse) == before


def test_a_drop_in_whose_midst_the_server_died_is_undone_and_done_again(archive: Archive, clickhouse: Client) -> None:
    """Parts move one by one: all had arrived in the table beside, and some were still in the raw one as well."""
    with pytest.raises(Crash):
        drop_old_days(replace(archive, at=crashing("compare")), 18)
    side = "ops.leaving_raw_events_20260301"
    clickhouse.command(f"INSERT INTO raw.events SELECT * FROM {side} WHERE kafka_offset < 30")
    before = whole_rows(clickhouse)["raw.events"][0]
    assert (before, clickhouse.query(f"SELECT count() FROM {side}").result_rows) == (54, [(180,)])
    assert [each.is_new for each in archive_day(archive, DAY)] == [False, False]
    assert (whole_rows(clickhouse)["raw.events"][0], clickhouse.command(f"EXISTS {side}")) == (180, 0)
    dropped(archive)
    assert_all_there(clickhouse)


def test_a_row_that_lands_in_the_moment_of_the_drop_is_not_lost(archive: Archive, clickhouse: Client) -> None:
    def land(step: str) -> None:
        if step == "aside":
            fill(clickhouse, DAY, base=200)

    with pytest.raises(RetryLater, match="rows landed"):
        drop_old_days(replace(archive, at=land), 18)
    assert whole_rows(clickhouse)["raw.events"][0] == 360
    assert_all_there(clickhouse, 600)
    assert drop_old_days(archive, 18)[0].held is not None  # archived first
    archive_day(archive, DAY)


def test_a_row_that_lands_after_the_drop_becomes_a_piece_of_its_own_and_all_come_back(
    archive: Archive, clickhouse: Client
) -> None:
    dropped(archive)
    fill(clickhouse, DAY, base=200)
    assert_all_there(clickhouse, 600)
    with pytest.raises(UserError, match="archive run"):
        restore_day(archive, DAY)
    assert [(each.rows, each.is_new) for each in archive_day(archive, DAY)] == [(360, True), (40, True)]
    assert [(each.rows, each.there) for each in restore_day(archive, DAY)] == [(180, 180), (20, 20)]
    assert_all_there(clickhouse, 600)


def test_rows_that_are_not_those_of_the_archive_are_not_overwritten(archive: Archive, clickhouse: Client) -> None:
    clickhouse.command(
        "ALTER TABLE raw.events UPDATE page_url = 'another' WHERE kafka_offset = 5", settings={"mutations_sync": 2}
    )
    before = whole_rows(clickhouse)
    with pytest.raises(UserError, match="nothing was restored"):
        restore_day(archive, DAY)
    assert whole_rows(clickhouse) == before


def test_a_day_stays_whose_file_was_damaged(archive: Archive, clickhouse: Client) -> None:
    (path,) = Path(archive.store.root, "raw_events", "day=2026-03-01").glob("*.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    events, letters = drop_old_days(archive, 18)
    assert "another SHA-256" in str(events.held)
    assert letters.held is None
    with pytest.raises(Permanent, match="SHA-256"):
        restore_day(archive, DAY)
    assert_all_there(clickhouse)


def test_a_day_stays_until_every_model_has_read_it(archive: Archive, clickhouse: Client) -> None:
    clickhouse.command(
        "INSERT INTO ops.model_watermarks (model, kafka_topic, kafka_partition, kafka_offset, since) VALUES",
        data=f"('int_late', '{TOPIC}', 0, 98, now()), ('int_late', '{TOPIC}', 7, 500, now())",
    )
    assert "int_late has not read clicks:0 up to 99" in str(drop_old_days(archive, 18)[0].held)
    clickhouse.command("TRUNCATE TABLE ops.model_watermarks")
    assert "build them first" in str(drop_old_days(archive, 18)[0].held)


def test_a_day_stays_while_a_rewind_of_it_is_not_in_the_marts(archive: Archive, clickhouse: Client) -> None:
    row = ["run", TOPIC, 0, 3, False, datetime(2026, 3, 1, tzinfo=UTC)]
    names = ["run", "kafka_topic", "kafka_partition", "first_offset", "is_done", "at"]
    clickhouse.insert("raw.rewinds", [row], column_names=names)
    assert "a rewind of clicks:0" in str(drop_old_days(archive, 18)[0].held)


def test_dead_letters_behind_the_last_event_of_their_partition_stay(archive: Archive, clickhouse: Client) -> None:
    """A worker finds those only in the table: without them it would write them again."""
    clickhouse.command("TRUNCATE TABLE raw.events")
    fill(clickhouse, NEXT, base=100)
    clickhouse.command("ALTER TABLE raw.events DELETE WHERE kafka_offset > 190", settings={"mutations_sync": 2})
    archive_day(archive, NEXT)
    held = {each.table: each.held for each in drop_old_days(archive, 1) if each.day == NEXT}
    assert held == {
        "raw.events": None,
        "raw.dead_letters": f"no event has landed behind the dead letter {TOPIC}:0:193 yet",
    }


def test_workers_go_on_behind_days_that_have_all_left(archive: Archive, clickhouse: Client) -> None:
    before = Ledger(lambda: clickhouse).resume(PARTITIONS)
    assert {resume.next_offset for resume in before.values()} == {200}
    archive_day(archive, NEXT)
    assert len(dropped(archive, 1)) == 4
    assert clickhouse.query("SELECT count() FROM raw.events").result_rows == [(0,)]
    after = Ledger(lambda: clickhouse).resume(PARTITIONS)
    assert {resume.next_offset for resume in after.values()} == {200}
    assert_all_there(clickhouse)


def test_a_rewind_over_days_that_left_is_refused_by_name(archive: Archive, clickhouse: Client) -> None:
    dropped(archive)
    with pytest.raises(UserError, match="millrace restore 2026-03-01"):
        _ = 40 in Known(lambda: clickhouse, PARTITIONS[0])
    assert 140 in Known(lambda: clickhouse, PARTITIONS[0])
    restore_day(archive, DAY)
    assert 40 in Known(lambda: clickhouse, PARTITIONS[0])


def test_an_offset_lost_beside_an_archived_day_is_still_found(archive: Archive, clickhouse: Client) -> None:
    dropped(archive)
    clickhouse.command(
        "ALTER TABLE raw.events DELETE WHERE kafka_offset = 150 AND kafka_partition = 7", settings={"mutations_sync": 2}
    )
    broken = audited(clickhouse).partitions[1]
    assert [str(each) for each in broken.unchecked.ranges] == ["150"]  # Kafka was not asked
    assert (broken.unexamined, broken.archived) == (0, 100)


def test_a_new_clickhouse_gets_its_days_back_from_the_archive(archive: Archive, clickhouse: Client) -> None:
    before = whole_rows(clickhouse)
    for table in ("raw.events", "raw.dead_letters", "ops.archived_days"):
        clickhouse.command(f"TRUNCATE TABLE {table}")
    restore_day(archive, DAY)
    assert whole_rows(clickhouse) == before
    assert_all_there(clickhouse, 200)


def test_an_archive_with_other_rows_of_the_same_offsets_is_not_taken_for_ours(
    archive: Archive, clickhouse: Client
) -> None:
    clickhouse.command("TRUNCATE TABLE ops.archived_days")
    clickhouse.command("ALTER TABLE raw.events DELETE WHERE kafka_offset > 50", settings={"mutations_sync": 2})
    with pytest.raises(Permanent, match="ARCHIVE_URL"):
        archive_day(archive, DAY)


def test_a_day_that_is_not_archived_is_one_line(archive: Archive) -> None:
    with pytest.raises(UserError, match="not in the archive"):
        restore_day(archive, date(2025, 1, 1))


def test_a_cluster_of_shards_keeps_its_days(archive: Archive) -> None:
    shards = replace(archive, is_cluster=True)
    with pytest.raises(Permanent, match="CLICKHOUSE_CLUSTER"):
        drop_old_days(shards, 18)
    with pytest.raises(Permanent, match="CLICKHOUSE_CLUSTER"):
        restore_day(shards, DAY)
