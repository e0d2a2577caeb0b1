"""The archive in a bucket of an S3-compatible server: the same files, proven in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from archive.check import check_day
from archive.drop import drop_old_days
from archive.place import Archive
from archive.restore import restore_day
from archive.store import Store
from archive.views import views_file
from archive.write import archive_day
from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from tests.integration.archive_tools import DAY, Crash, crashing, fill, fold_in, make_archive, whole_rows
from tests.s3_fake import Bucket, s3_server

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with s3_server() as found:
        yield found


def in_bucket(settings: Settings, bucket: Bucket) -> Settings:
    return settings.model_copy(
        update={
            "archive_url": "s3://lake/millrace",
            "archive_s3_endpoint": bucket.url,
            "archive_s3_access_key": "us",
            "archive_s3_secret_key": SecretStr("secret"),
        }
    )


@pytest.fixture
def archive(clickhouse: Client, clickhouse_server: Settings, tmp_path: Path, bucket: Bucket) -> Archive:
    fill(clickhouse)
    fold_in(clickhouse)
    return make_archive(clickhouse, in_bucket(clickhouse_server, bucket), tmp_path)


def test_a_day_in_a_bucket_leaves_comes_back_and_a_flipped_byte_is_caught(
    archive: Archive, clickhouse: Client, bucket: Bucket
) -> None:
    before = whole_rows(clickhouse)
    archive_day(archive, DAY)
    assert {key.rsplit("/", 1)[0] for key in bucket.objects} == {
        f"lake/millrace/raw_events/day={DAY}",
        f"lake/millrace/raw_dead_letters/day={DAY}",
    }
    script = (archive.home / "archive.sql").read_text()
    assert f"read_parquet(['s3://lake/millrace/raw_events/day={DAY}/" in script
    with duckdb.connect(str(views_file(archive.home)), read_only=True) as connection:
        archive.store.prepare(connection)
        assert connection.execute("SELECT day, count(*) FROM raw_events GROUP BY day").fetchall() == [(DAY, 180)]
    assert [each.held for each in drop_old_days(archive, 1)] == [None, None]
    restore_day(archive, DAY)
    assert whole_rows(clickhouse) == before
    (name,) = (key for key in bucket.objects if "raw_events" in key and key.endswith(".parquet"))
    good = bucket.objects[name]
    bucket.objects[name] = good[:500] + bytes([good[500] ^ 4]) + good[501:]
    assert "another SHA-256" in str(check_day(archive, DAY)[0].wrong)


def test_an_upload_that_breaks_off_leaves_nothing_that_counts(
    archive: Archive, clickhouse: Client, bucket: Bucket
) -> None:
    with pytest.raises(Crash):
        archive_day(replace(archive, at=crashing("manifest")), DAY)
    assert [key for key in bucket.objects if key.endswith(".json")] == []
    archive_day(archive, DAY)
    assert [proof.wrong for proof in check_day(archive, DAY)] == [None, None]


def test_a_bucket_that_refuses_is_told_apart_from_one_that_is_away(archive: Archive, bucket: Bucket) -> None:
    bucket.trouble = (403, "AccessDenied")
    with pytest.raises(Permanent, match="s3://lake/millrace"):
        archive_day(archive, DAY)
    bucket.trouble = (404, "NoSuchBucket")
    with pytest.raises(Permanent, match="s3://lake/millrace"):
        archive_day(archive, DAY)
    nowhere = bucket.url.rsplit(":", 1)[0] + ":1"
    settings = Settings.model_validate({"archive_url": "s3://lake/x", "archive_s3_endpoint": nowhere})
    with pytest.raises(RetryLater, match="s3://lake/x"):
        Store.of(settings).names("raw_events")
