"""Runs and sensors' cursors are where Dagster's own storages keep them, and opening them is cheap."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import psutil
import pytest
from alembic.script import ScriptDirectory
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from local.paths import ROOT
from orchestration.home import prepare_home
from orchestration.run_store import RunStore, ScheduleStore
from tests.patience import WAIT_SECONDS

STOCK = "telemetry:\n  enabled: false\n"
_WRITE_AND_DIE = """
import os, signal, sys
import dagster as dg
from dagster._core.test_utils import create_run_for_test
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    for _ in range(20):
        create_run_for_test(instance, job_name="marts")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def sensor(cursor: str) -> InstigatorState:
    place = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="orchestration.definitions"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "repository"), "raw_rows")
    return InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData(cursor=cursor))


def write(instance: dg.DagsterInstance, cursor: str) -> str:
    state = sensor(cursor)
    known = instance.get_instigator_state(state.instigator_origin_id, state.selector_id)
    (instance.update_instigator_state if known else instance.add_instigator_state)(state)
    run: dg.DagsterRun = create_run_for_test(instance, job_name="marts")
    return run.run_id


def read(instance: dg.DagsterInstance) -> tuple[set[str], str | None]:
    (state,) = instance.all_instigator_state()
    assert isinstance(state.instigator_data, SensorInstigatorData)
    return {run.run_id for run in instance.get_runs()}, state.instigator_data.cursor


def test_what_the_stock_storages_wrote_is_found_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(STOCK)
    with dg.DagsterInstance.from_config(str(tmp_path)) as stock:
        first = write(stock, "1")
    prepare_home(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_storage, RunStore)
        assert isinstance(instance.schedule_storage, ScheduleStore)
        assert read(instance) == ({first}, "1")
        second = write(instance, "2")
    (tmp_path / "dagster.yaml").write_text(STOCK)
    with dg.DagsterInstance.from_config(str(tmp_path)) as stock:
        assert read(stock) == ({first, second}, "2")


def test_a_tick_does_not_read_the_history_of_the_tables_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_home(tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("the modules of all versions were read")

    monkeypatch.setattr(ScriptDirectory, "from_config", refuse)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        written = write(instance, "1")
        assert read(instance) == ({written}, "1")


def test_a_tick_leaves_no_file_open(tmp_path: Path) -> None:
    """Dagster disposes of runs and events and forgets the sensors' state, of which each tick opens one."""
    prepare_home(tmp_path)
    gc.collect()
    gc.disable()
    try:
        before = still_open(tmp_path)
        for _ in range(3):
            with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
                write(instance, "1")
        assert still_open(tmp_path) == before == []
    finally:
        gc.enable()


def still_open(folder: Path) -> list[str]:
    return [file.path for file in psutil.Process().open_files() if Path(file.path).is_relative_to(folder)]


def test_runs_are_there_after_their_writer_was_killed(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    command = [sys.executable, "-c", _WRITE_AND_DIE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, timeout=WAIT_SECONDS, check=False)
    assert ended.returncode == -signal.SIGKILL
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_runs_count() == 20
