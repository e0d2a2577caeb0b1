"""Dagster's event log in one SQLite file whose connection is kept: a run writes some 70 events, a commit each.

Dagster's default writes each event twice, and makes a file with all tables for every run, which stays when the run is
deleted: with its connections a third of the time of a run, and 380 kB a run for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dagster import DagsterInstance
from dagster._core.storage.event_log.polling_event_watcher import SqlPollingEventWatcher
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.sql import get_alembic_config, stamp_alembic_rev
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection

from orchestration.kept_sqlite import KeptSqlite

FOLDER: Final = "events"


class EventLog(KeptSqlite, ConsolidatedSqliteEventLogStorage):
    """Dagster's storage of events in `DAGSTER_HOME/events/event_log.db`."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._there: set[str] = set()

    def register_instance(self, instance: DagsterInstance) -> None:
        """Open the log of this instance, and make it when there is none."""
        folder = Path(instance.root_directory) / FOLDER
        ConsolidatedSqliteEventLogStorage.__init__(self, str(folder), self._given)
        self._watcher = SqlPollingEventWatcher(self)
        super().register_instance(instance)

    def watch(self, run_id: str, cursor: str | None, callback: Any) -> None:
        """Tell `callback` of new events; by asking, for writes in a log ahead do not touch the file."""
        self._watcher.watch_run(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Any) -> None:
        """Stop telling."""
        self._watcher.unwatch_run(run_id, handler)

    def dispose(self) -> None:
        """Close what is open."""
        self._watcher.close()
        super().dispose()

    def has_table(self, table_name: str) -> bool:
        """Return whether the table is there; Dagster opens a connection to look, for each materialization."""
        return self._is_there(table_name, lambda: super(EventLog, self).has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        find = super()._has_asset_key_col_on_connection
        return self._is_there(f"asset_keys.{column_name}", lambda: find(conn, column_name))

    def _is_there(self, name: str, look: Callable[[], bool]) -> bool:
        """Look once for what does not go away."""
        if name not in self._there and look():
            self._there.add(name)
        return name in self._there

    def _init_db(self) -> None:
        super()._init_db()  # type: ignore[no-untyped-call] # Dagster's is not typed
        with self._connect() as connection:  # Dagster's forgets to commit its version stamp
            stamp_alembic_rev(get_alembic_config(consolidated_sqlite_event_log.__file__), connection)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self.connect() as connection:
            yield connection
