"""A closed day becomes Parquet that holds exactly what ClickHouse has, or it does not count as archived."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from clickhouse_connect.driver.client import Client

from archive.check import check_day
from archive.days import list_days
from archive.place import Archive
from archive.tables import last_closed_day
from archive.views import views_file
from archive.write import archive_day
from contracts.errors import Permanent, RetryLater, UserError
from contracts.event import RAW_COLUMNS
from contracts.settings import Settings
from tests.integration.archive_tools import (
    DAY,
    NEXT,
    NOW,
    Crash,
    crashing,
    fill,
    make_archive,
    whole_rows,
)

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def archive(clickhouse: Client, clickhouse_server: Settings, tmp_path: Path) -> Archive:
    fill(clickhouse)
    return make_archive(clickhouse, clickhouse_server, tmp_path)


def parquet(archive: Archive, folder: str = "raw_events") -> list[Path]:
    return sorted(Path(archive.store.root, folder).rglob("*.parquet"))


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0x10
    path.write_bytes(data)


def test_a_day_with_odd_values_is_archived_and_read_back_the_same(archive: Archive) -> None:
    events, letters = archive_day(archive, DAY)
    assert (events.rows, letters.rows, events.is_new) == (180, 20, True)
    assert [(proof.rows, proof.in_clickhouse, proof.wrong) for proof in check_day(archive, DAY)] == [
        (180, 180, None),
        (20, 20, None),
    ]


def test_the_manifest_names_files_offsets_and_a_checksum_of_every_column(archive: Archive) -> None:
    archive_day(archive, DAY)
    (path,) = Path(archive.store.root, "raw_events", "day=2026-03-01").glob("*.json")
    manifest = json.loads(path.read_text())
    assert manifest["rows"] == 180
    assert [file["bytes"] for file in manifest["files"]] == [parquet(archive)[0].stat().st_size]
    assert [(one["partition"], one["first"], one["last"], one["rows"]) for one in manifest["offsets"]] == [
        (0, 0, 99, 90),
        (7, 0, 99, 90),
    ]
    assert [one["name"] for one in manifest["columns"]] == list(RAW_COLUMNS)


def test_archiving_again_changes_nothing(archive: Archive) -> None:
    archive_day(archive, DAY)
    before = [(path, path.stat().st_mtime_ns) for path in parquet(archive)]
    assert [each.is_new for each in archive_day(archive, DAY)] == [False, False]
    assert [(path, path.stat().st_mtime_ns) for path in parquet(archive)] == before


def test_rows_that_land_late_make_the_day_be_archived_anew(archive: Archive, clickhouse: Client) -> None:
    archive_day(archive, DAY)
    fill(clickhouse, base=100)
    (day,) = (each for each in list_days(clickhouse, last_closed_day(NOW)) if each.day == DAY)
    assert day.state == "changed"
    assert [(each.rows, each.is_new) for each in archive_day(archive, DAY)] == [(360, True), (40, True)]
    assert len(parquet(archive)) == 1  # what it superseded is gone


def test_a_day_without_rows_is_archived_as_such(archive: Archive) -> None:
    assert [(each.rows, each.is_new) for each in archive_day(archive, NEXT)] == [(0, True), (0, True)]
    assert [(each.rows, each.is_new) for each in archive_day(archive, NEXT)] == [(0, False), (0, False)]


def test_a_day_that_is_not_over_is_refused(archive: Archive) -> None:
    with pytest.raises(UserError, match="not over yet"):
        archive_day(archive, NOW.date())


def test_a_flipped_byte_is_caught_and_the_file_written_anew_while_the_rows_are_there(archive: Archive) -> None:
    archive_day(archive, DAY)
    for at in (0.1, 0.5, 0.99):
        flip(parquet(archive)[0], at)
        assert "another SHA-256" in str(check_day(archive, DAY)[0].wrong)
        flip(parquet(archive)[0], at)
    flip(parquet(archive)[0])
    assert archive_day(archive, DAY)[0].is_new
    assert check_day(archive, DAY)[0].wrong is None


def test_a_file_that_was_damaged_before_it_was_read_back_is_never_archived(archive: Archive) -> None:
    """The checksums find it without knowing the file's hash, as they would find a wrong writer."""

    def damage(step: str) -> None:
        if step == "verify":
            flip(parquet(archive)[0], 0.01)

    with pytest.raises(Permanent):
        archive_day(replace(archive, at=damage), DAY)
    assert list(Path(archive.store.root).rglob("*.json")) == []


def test_other_values_than_clickhouse_has_are_named_by_column(archive: Archive, clickhouse: Client) -> None:
    def change(step: str) -> None:
        if step == "write":
            clickhouse.command(
                "ALTER TABLE raw.events UPDATE quantity = quantity + 1, page_url = reverse(page_url) "
                "WHERE kafka_offset = 95 AND kafka_partition = 7",
                settings={"mutations_sync": 2},
            )

    with pytest.raises(Permanent, match="other values in quantity"):
        archive_day(replace(archive, at=change), DAY)


def test_rows_that_land_while_a_day_is_written_are_no_error_but_another_try(
    archive: Archive, clickhouse: Client
) -> None:
    def land(step: str) -> None:
        if step == "write":
            fill(clickhouse, base=100)

    with pytest.raises(RetryLater, match="rows landed"):
        archive_day(replace(archive, at=land), DAY)
    assert archive_day(archive, DAY)[0].rows == 360


def test_archiving_that_dies_at_any_step_is_finished_by_the_next(archive: Archive, clickhouse: Client) -> None:
    archive_day(archive, DAY)
    rows = 180
    for step in ("write", "verify", "manifest", "record", "views", "sweep"):
        fill(clickhouse, base=rows)
        rows += 180
        before = whole_rows(clickhouse)
        with pytest.raises(Crash):
            archive_day(replace(archive, at=crashing(step)), DAY)
        assert whole_rows(clickhouse) == before
        archive_day(archive, DAY)
        assert [proof.wrong for proof in check_day(archive, DAY)] == [None, None]
        assert (len(parquet(archive)), analysts(archive)) == (1, (rows, rows // 9))


def test_analysts_read_views_by_day_and_never_what_is_not_archived(archive: Archive, clickhouse: Client) -> None:
    fill(clickhouse, NEXT, base=100)
    archive_day(archive, DAY)
    assert analysts(archive) == (180, 20)
    archive_day(archive, NEXT)
    with duckdb.connect(str(views_file(archive.home)), read_only=True) as connection:
        found = connection.execute("SELECT day, count(*), max(price) FROM raw_events GROUP BY day ORDER BY day")
        assert [row[:2] for row in found.fetchall()] == [(DAY, 180), (NEXT, 180)]


def test_a_store_that_is_not_there_or_full_is_one_line(archive: Archive, clickhouse: Client, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises((Permanent, RetryLater), match=r"the archive at /.*raw_events"):
        archive_day(archive, DAY)


def analysts(archive: Archive) -> tuple[int, int]:
    """Rows that the two views show."""
    with duckdb.connect(str(views_file(archive.home)), read_only=True) as connection:
        return tuple(  # type: ignore[return-value]
            connection.execute(f"SELECT count(*) FROM {view}").fetchall()[0][0]
            for view in ("raw_events", "raw_dead_letters")
        )
