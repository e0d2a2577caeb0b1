"""What the archive's work needs, and how the pieces of a day stand before it begins."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from archive.contents import Contents
from archive.ledger import Ledger, State
from archive.manifest import Manifest, decode, folder
from archive.store import Store
from archive.tables import RawTable
from contracts.clickhouse import connect
from contracts.clock import Clock
from contracts.settings import Settings

# The longest wait for one answer: a hundred million rows are reckoned in minutes.
_LONGEST_SECONDS: Final = 3600
Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


@dataclass(frozen=True)
class Archive:
    """The archive and its surroundings.

    Args:
        client: of ClickHouse; its longest wait must allow for reading a day.
        store: the files.
        home: MILLRACE_HOME, for locks and DuckDB's views.
        clock: the time.
        is_cluster: whether raw is divided among shards; rows then do not leave or come back by this program.
        at: told before each step that changes something; tests break off there.
        progress: told what is being done, and how many rows of how many are through.
    """

    client: Client
    store: Store
    home: Path
    clock: Clock
    is_cluster: bool = False
    at: Callable[[str], None] = lambda _: None
    progress: Callable[[str, int, int], None] = lambda _, __, ___: None

    @classmethod
    def of(cls, settings: Settings, client: Client, clock: Clock) -> Archive:
        """Return the archive that the settings mean.

        Raises:
            UserError: ARCHIVE_URL means none.
        """
        return cls(client, Store.of(settings), settings.millrace_home, clock, bool(settings.clickhouse_cluster))

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, clock: Clock) -> Iterator[Archive]:
        """Yield the archive of the settings with a client of its own, which waits as long as a day may take.

        Raises:
            UserError: ARCHIVE_URL means none.
            RetryLater, Permanent: ClickHouse is away, or refuses.
        """
        # What goes over the line is packed already.
        options = {"compress": False, "send_receive_timeout": _LONGEST_SECONDS, "client_name": "millrace-archive"}
        with connect(settings, **options) as client:
            yield cls.of(settings, client, clock)

    @property
    def ledger(self) -> Ledger:
        """The entries in ClickHouse."""
        return Ledger(self.client)

    def manifests(self, table: RawTable, day: date) -> dict[str, Manifest]:
        """Return all manifests of a day by piece.

        Raises:
            RetryLater, Permanent: the store is away, or a manifest is broken.
        """
        return read_manifests(self.store, table, day)

    def followed(self, task: str, pieces: Iterable[Rows], total: int) -> Iterator[Rows]:
        """Yield `pieces`, and tell `progress` after each how many of `total` rows are through."""
        done = 0
        self.progress(task, done, total)
        for piece in pieces:
            yield piece
            done += piece.num_rows
            self.progress(task, done, total)

    def new_name(self) -> str:
        """Return a name for a new piece; later ones sort behind."""
        return f"{self.clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


@dataclass
class Standing:
    """The pieces of one table and day, and where their rows are.

    Args:
        manifests: by piece.
        states: by piece.
    """

    manifests: Mapping[str, Manifest]
    states: dict[str, State]

    def having(self, *states: State) -> list[Manifest]:
        """Return the pieces in one of these states."""
        return [manifest for name, manifest in self.manifests.items() if self.states.get(name) in states]


def summed(manifests: Iterable[Manifest]) -> Contents:
    """Return what several pieces hold together."""
    total = Contents()
    for manifest in manifests:
        total = total.plus(manifest.contents)
    return total


def read_manifests(store: Store, table: RawTable, day: date) -> dict[str, Manifest]:
    """Return all manifests of a day in `store` by piece.

    Raises:
        RetryLater, Permanent: the store is away, or a manifest is broken.
    """
    names = [name for name in store.names(folder(table, day)) if name.endswith(".json")]
    found = [decode(store.read(name), name) for name in names]
    return {manifest.piece: manifest for manifest in found}


def current(manifests: Mapping[str, Manifest]) -> dict[str, Manifest]:
    """Return those whose rows no later piece has."""
    superseded = {piece for manifest in manifests.values() for piece in manifest.supersedes}
    return {name: manifest for name, manifest in manifests.items() if name not in superseded}
