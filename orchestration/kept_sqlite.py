"""What Dagster's three SQLite storages share here: the instance's folder, and connections that stay open.

Dagster's own open a connection for every question, force the disk at every commit, and closing the last connection
folds the write-ahead log back. Here a commit is not forced to the disk: after a power cut, not after a crash, the last
writes may be missing, and the file is sound (SQLite's documentation of `synchronous = NORMAL` with a write-ahead log).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self

from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

# Of the webserver's threads so many read at the same time.
_CONNECTIONS: Final = 4


class KeptSqlite:
    """Goes before one of Dagster's storages; `_conn_string` is that one's, known when the instance registers itself."""

    _conn_string: str

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._given = inst_data
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Dagster's record of the configuration this came from."""
        return self._given

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the configuration's schema: there is nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Make a storage from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    def dispose(self) -> None:
        """Close what is open."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a kept connection in a transaction, which ends with the block."""
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
