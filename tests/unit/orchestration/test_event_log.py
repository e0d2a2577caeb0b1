"""The event log is Dagster's own in what it answers, and survives what a stock one survives."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from local.paths import ROOT
from orchestration.event_log import FOLDER, EventLog
from orchestration.home import prepare_home
from tests.patience import WAIT_SECONDS

KEY = dg.AssetKey("one")
_WRITE_AND_DIE = """
import os, signal, sys
import dagster as dg
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    for number in range(20):
        instance.report_runless_asset_event(dg.AssetMaterialization("one", metadata={"number": number}))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@dg.asset
def one() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"dagster/row_count": 3})


@dg.asset_check(asset=one)
def is_good() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    prepare_home(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def run(instance: dg.DagsterInstance) -> str:
    return dg.materialize([one, is_good], instance=instance).run_id


def test_a_run_reads_back_as_from_the_stock_log(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, EventLog)
    ours = run(instance)
    with dg.DagsterInstance.ephemeral() as stock:
        theirs = run(stock)
        assert kinds(instance, ours) == kinds(stock, theirs)
    assert instance.get_latest_materialization_event(KEY).run_id == ours
    check = dg.AssetCheckKey(KEY, "is_good")
    assert instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check].run_id == ours


def kinds(instance: dg.DagsterInstance, run_id: str) -> list[str | None]:
    return [entry.dagster_event_type for entry in instance.all_logs(run_id) if entry.is_dagster_event]


def test_a_deleted_run_leaves_nothing(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """The stock log kept a file of 380 kB for each run that it had deleted."""
    files = sorted(path.name for path in tmp_path.rglob("*.db"))
    first = run(instance)
    run(instance)
    instance.delete_run(first)
    assert instance.all_logs(first) == []
    assert sorted(path.name for path in tmp_path.rglob("*.db")) == files


def test_who_watches_a_run_hears_it_end(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id, ended = str(uuid.uuid4()), threading.Event()

    def hear(entry: dg.EventLogEntry, _: str) -> None:
        if entry.dagster_event_type is dg.DagsterEventType.RUN_SUCCESS:
            ended.set()

    instance.watch_event_logs(run_id, None, hear)
    with dg.DagsterInstance.from_config(str(tmp_path)) as other:
        job = dg.Definitions(assets=[one]).resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=other, run_id=run_id)
    assert ended.wait(30)
    instance.end_watch_event_logs(run_id, hear)


def test_what_was_written_is_there_after_the_writer_was_killed(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _WRITE_AND_DIE, str(tmp_path)]
    assert subprocess.run(command, env=environment, timeout=WAIT_SECONDS, check=False).returncode < 0
    assert len(instance.fetch_materializations(KEY, limit=99).records) == 20
    with sqlite3.connect(tmp_path / FOLDER / "event_log.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
