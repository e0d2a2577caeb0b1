"""Dagster's runs, and its sensors' cursors and ticks, in SQLite files whose connections are kept.

Each tick of a sensor opens both anew. Dagster's own then read the history of their tables' versions, which are
dozens of modules: most of the processor time of a tick. Here a file that has a version is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from dagster import DagsterInstance
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import create_db_conn_string

from orchestration.kept_sqlite import KeptSqlite


class RunStore(KeptSqlite, SqliteRunStorage):
    """Dagster's storage of runs in `DAGSTER_HOME/history/runs.db`, where its own storage has it."""

    def register_instance(self, instance: DagsterInstance) -> None:
        """Open the runs of this instance, and make the file when there is none."""
        path = Path(instance.root_directory, "history", "runs.db")
        SqliteRunStorage.__init__(self, _url(path), self._given)
        _make(self, path, SqliteRunStorage.from_local)
        super().register_instance(instance)

    def dispose(self) -> None:
        """Close what is open, also of the sensors' state: an instance that is disposed of forgets that one."""
        super().dispose()
        sensors = self._instance.schedule_storage
        if isinstance(sensors, ScheduleStore):
            sensors.dispose()


class ScheduleStore(KeptSqlite, SqliteScheduleStorage):
    """Dagster's storage of sensors in `DAGSTER_HOME/schedules/schedules.db`, where its own storage has it."""

    def register_instance(self, instance: DagsterInstance) -> None:
        """Open the sensors' state of this instance, and make the file when there is none."""
        path = Path(instance.root_directory, "schedules", "schedules.db")
        SqliteScheduleStorage.__init__(self, _url(path), self._given)
        _make(self, path, SqliteScheduleStorage.from_local)
        super().register_instance(instance)


def _url(path: Path) -> str:
    return create_db_conn_string(str(path.parent), path.stem)


def _make(store: KeptSqlite, path: Path, make: Callable[[str], Any]) -> None:
    """Let Dagster make the file where it has not stamped one with a version."""
    if path.exists():
        with store.connect() as connection:
            if MigrationContext.configure(connection).get_current_revision() is not None:
                return
    make(str(path.parent))
