"""`millrace archive`, `millrace restore` and Dagster's asset, as people and the sensor start them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from cli.main import run
from contracts.names import ROLE_DBT
from contracts.settings import Settings, load_settings
from local.clickhouse.config import passwords
from orchestration.assets.archive import ARCHIVE_CHECK, archive_views, archived_days
from orchestration.assets.retention import retention_job
from orchestration.resources.clickhouse import ClickHouse
from orchestration.sensors.closed_days import closed_days
from tests.integration.archive_tools import fill, fold_in, whole_rows

pytestmark = pytest.mark.clickhouse
DAY = "2026-03-01"


@pytest.fixture
def home(clickhouse: Client, clickhouse_server: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a process that Dagster's user runs, with a day of rows."""
    fill(clickhouse)
    fold_in(clickhouse)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "MILLRACE_HOME": str(tmp_path),
        "CLICKHOUSE_HOST": "127.0.0.1",
        "CLICKHOUSE_PORT": str(clickhouse_server.clickhouse_port),
        "CLICKHOUSE_USER": ROLE_DBT,
        "CLICKHOUSE_PASSWORD": passwords(clickhouse_server.millrace_home / "server")[ROLE_DBT],
        "RETENTION_DAYS": "30",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(list(arguments))
    found = capsys.readouterr()
    return code, (found.out + found.err).strip()


def test_a_day_goes_through_all_commands_as_dagsters_user(
    home: Path, clickhouse: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    before = whole_rows(clickhouse)
    code, text = said(capsys, "archive", "run", DAY)
    assert (code, "raw.events 2026-03-01: 180 rows archived and verified" in text) == (0, True)
    assert "180 rows verified, 180 of them in ClickHouse" in said(capsys, "archive", "verify", DAY)[1]
    assert "180 rows left" in said(capsys, "archive", "drop")[1]
    days = {each["day"]: each["state"] for each in json.loads(said(capsys, "archive", "list", "--json")[1])}
    assert (days[DAY], days["2026-03-02"]) == ("dropped", "waiting")
    assert "180 rows restored" in said(capsys, "restore", DAY)[1]
    assert whole_rows(clickhouse) == before


def test_scripts_read_what_the_commands_did_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def values(*arguments: str) -> dict[str, dict]:
        code, text = said(capsys, *arguments, "--json")
        assert code == 0
        return {each["table"]: each for each in json.loads(text)}

    ran = values("archive", "run", DAY)
    assert (ran["raw.events"]["rows"], ran["raw.events"]["is_new"], ran["raw.dead_letters"]["rows"]) == (180, True, 20)
    assert values("archive", "verify", DAY)["raw.events"]["wrong"] is None
    assert values("archive", "drop")["raw.events"]["day"] == DAY
    assert values("restore", DAY)["raw.events"] == {"table": "raw.events", "rows": 180, "there": 0, "day": DAY}


def test_a_bar_is_told_how_many_rows_are_through(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []

    @contextmanager
    def recorded(_: str) -> Iterator[Callable[[str, int, int], None]]:
        yield lambda *move: told.append(move)

    monkeypatch.setattr("cli.archive.progress_bar", recorded)
    monkeypatch.setattr("cli.restore.progress_bar", recorded)
    assert run(["archive", "run", DAY]) == 0
    assert told[0] == (f"writing raw.events of {DAY}", 0, 180)
    assert told[-2:] == [(f"writing raw.dead_letters of {DAY}", 20, 20), (f"verifying raw.dead_letters of {DAY}", 0, 0)]
    assert run(["archive", "drop"]) == 0
    assert run(["restore", DAY]) == 0
    assert (f"loading raw.events of {DAY}", 180, 180) in told


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (("archive", "run", "yesterday"), {}, "'yesterday' is no day; write YYYY-MM-DD"),
        (("archive", "run", "2026-02-30"), {}, "'2026-02-30' is no day"),
        (("archive", "run", "2199-01-01"), {}, "2199-01-01 is not over yet"),
        (("restore", DAY), {}, "is not in the archive"),
        (("archive", "verify", DAY), {}, "is not in the archive"),
        (
            ("archive", "run", DAY),
            {"ARCHIVE_URL": "ftp://somewhere/x"},
            "ARCHIVE_URL=ftp://somewhere/x: write a folder",
        ),
        (("archive", "run", DAY), {"ARCHIVE_URL": "/proc/nowhere"}, "the archive at /proc/nowhere"),
        (("archive", "list"), {"CLICKHOUSE_PORT": "1"}, "ClickHouse cannot be reached"),
        (("archive", "run", DAY), {"RETENTION_DAYS": "-1"}, "RETENTION_DAYS"),
        (("replay",), {}, "name a FILE and its --format, or an archived day with --from-archive DAY"),
        (("replay", "x.csv", "--format", "y", "--from-archive", DAY), {}, "not both"),
        (("replay", "x.csv", "--format", "y", "--dead-letters"), {}, "go with --from-archive"),
        (("replay", "--from-archive", DAY), {}, "is not in the archive"),
    ],
)
def test_a_mistake_or_an_absent_neighbour_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], environment: dict[str, str], line: str
) -> None:
    with patch.dict("os.environ", environment):
        code, text = said(capsys, *arguments)
    assert code in (1, 2)
    assert line in text
    assert len(text.splitlines()) == 1


def test_a_full_disk_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.dict("os.environ", {"ARCHIVE_URL": str(home / "full")}):
        (home / "full" / "raw_events" / f"day={DAY}").mkdir(parents=True)
        with patch("archive.store.os.fsync", side_effect=OSError(28, "No space left on device")):
            code, text = said(capsys, "archive", "run", DAY)
    assert (code, "the disk is full; free some space" in text, len(text.splitlines())) == (1, True, 1)


def test_dagster_archives_days_in_one_run_and_its_check_has_a_table(home: Path) -> None:
    resources = {"archive_duckdb": archive_views(load_settings())}
    span = {"dagster/asset_partition_range_start": DAY, "dagster/asset_partition_range_end": "2026-03-02"}
    done = dg.materialize([archived_days], tags=span, resources=resources)
    (check,) = done.get_asset_check_evaluations()
    assert (done.success, check.check_name, check.passed) == (True, ARCHIVE_CHECK, True)
    table = str(check.metadata["days"].value)
    assert "| 2026-03-01 | raw.events | 180 | 180 |" in table
    assert "| 2026-03-02 | raw.events | 0 | 0 |" in table


def test_the_sensor_asks_for_the_day_until_it_is_archived_and_then_for_retention(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, resources={"clickhouse": ClickHouse()})
        result = closed_days(context)
    assert isinstance(result, dg.SensorResult)
    assert [request.partition_key for request in result.run_requests or []] == [DAY]
    assert run(["archive", "run", DAY]) == 0
    assert retention_job.execute_in_process().success


def test_the_sensor_says_so_when_clickhouse_is_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", "1")
    with dg.DagsterInstance.ephemeral() as instance:
        result = closed_days(dg.build_sensor_context(instance, resources={"clickhouse": ClickHouse()}))
    assert isinstance(result, dg.SkipReason)
    assert "does not say" in str(result.skip_message)
