"""Dagster's event log in one SQLite file whose connection is kept: a run writes some 70 events, a commit each.

Dagster's default opens and closes connections for every event, forces the disk at every commit, and makes a file with
all tables for every run, which stays when the run is deleted: a third of the time of a run, and 380 kB a run for ever.
Here a commit is not forced to the disk: after a power cut, not after a crash, the last events may be missing, and the
file is sound (SQLite's documentation of `synchronous = NORMAL` with a write-ahead log).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dagster import DagsterInstance
from dagster._core.storage.event_log.polling_event_watcher import SqlPollingEventWatcher
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.sql import get_alembic_config, stamp_alembic_rev
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

FOLDER: Final = "events"
# Of the webserver's threads so many read at the same time.
_CONNECTIONS: Final = 4


class EventLog(ConsolidatedSqliteEventLogStorage):
    """Dagster's storage of events in `DAGSTER_HOME/events/event_log.db`."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        # The folder is the instance's, which is known when it registers itself.
        self._given = inst_data
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._there: set[str] = set()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Dagster's record of the configuration this came from."""
        return self._given

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the configuration's schema: there is nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> EventLog:
        """Make a storage from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

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
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

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
        with self._kept_engine().connect() as connection, connection.begin():
            yield connection

    def _kept_engine(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = create_engine(
                    self._conn_string,
                    poolclass=QueuePool,
                    pool_size=_CONNECTIONS,
                    max_overflow=-1,
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
                )
                event.listen(self._engine, "connect", _do_not_force)
            return self._engine


def _do_not_force(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
