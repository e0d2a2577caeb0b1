"""DAGSTER_HOME: made ready before anything opens it, because two first openings at once break its databases."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from contracts.errors import RetryLater
from orchestration.event_log import FOLDER
from orchestration.resources.dbt_project import ROOT

_LOCK: Final = ".prepare.lock"


def prepare_home(folder: Path) -> None:
    """Copy this project's dagster.yaml to `folder` and create Dagster's databases there.

    Dagster stamps its SQLite files without a lock: `dagster dev` and a status line that open a new folder at
    the same moment leave two version stamps behind, and nothing opens it again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copyfile(ROOT / "dagster.yaml", folder / "dagster.yaml")
        is_new = not (folder / FOLDER).exists()
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            if is_new:
                _close_runs(instance)
            instance.get_runs_count()
            instance.event_log_storage.has_asset_key(dg.AssetKey("none"))  # creates the event log's index


def open_home(folder: Path) -> dg.DagsterInstance:
    """Open the instance that others made in `folder`; it is the caller's to close.

    Raises:
        RetryLater: there is none.
    """
    if not (folder / "dagster.yaml").exists():
        raise RetryLater(f"there is no Dagster in {folder}; start it, or set DAGSTER_HOME")
    with (folder / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return dg.DagsterInstance.from_config(str(folder))


def _close_runs(instance: dg.DagsterInstance) -> None:
    """Mark what has not ended as failed: its events are in another log, so nothing would ever end it."""
    for run in instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
        instance.report_run_failed(run, "The event log was made anew while the run had not ended.")
