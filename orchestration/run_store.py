"""Dagster's runs, and its sensors' cursors and ticks, in SQLite files whose connections are kept.

Each tick of a sensor opens both anew. Dagster's own then read the history of their tables' versions, which are
dozens of modules: most of the processor time of a tick. Here a file that has a version is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from alembic.migration import MigrationContext
from dagster import DagsterInstance
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import create_db_conn_string

from orchestration.kept_sqlite import KeptSqlite

# The folders and files of Dagster's own storages, so that either finds what the other wrote.
_RUNS: Final = ("history", "runs")
_SCHEDULES: Final = ("schedules", "schedules")


class RunStore(KeptSqlite, SqliteRunStorage):
    """Dagster's storage of runs in `DAGSTER_HOME/history/runs.db`."""

    def register_instance(self, instance: DagsterInstance) -> None:
        """Open the runs of this instance, and make the file when there is none."""
        folder, name = Path(instance.root_directory, _RUNS[0]), _RUNS[1]
        SqliteRunStorage.__init__(self, create_db_conn_string(str(folder), name), self._given)
        _make(self, folder / f"{name}.db", SqliteRunStorage.from_local)
        super().register_instance(instance)


class ScheduleStore(KeptSqlite, SqliteScheduleStorage):
    """Dagster's storage of sensors and schedules in `DAGSTER_HOME/schedules/schedules.db`."""

    def register_instance(self, instance: DagsterInstance) -> None:
        """Open the sensors' state of this instance, and make the file when there is none."""
        folder, name = Path(instance.root_directory, _SCHEDULES[0]), _SCHEDULES[1]
        SqliteScheduleStorage.__init__(self, create_db_conn_string(str(folder), name), self._given)
        _make(self, folder / f"{name}.db", SqliteScheduleStorage.from_local)
        super().register_instance(instance)


def _make(store: KeptSqlite, path: Path, make: Callable[[str], Any]) -> None:
    """Let Dagster make the file where it has not stamped one with a version."""
    if path.exists():
        with store.connect() as connection:
            if MigrationContext.configure(connection).get_current_revision() is not None:
                return
    make(str(path.parent))
