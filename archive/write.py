"""Archive a closed day: write, read back, compare, and only then say that it is archived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from archive.contents import Contents, contents_on, offsets_on
from archive.guard import one_at_a_time
from archive.manifest import FORMAT, Manifest, ParquetFile, encode, entries, folder
from archive.parquet import read_groups, write_files
from archive.place import Archive, Standing, summed
from archive.readback import damage, read_contents
from archive.settle import settle
from archive.tables import TABLES, Column, RawTable, columns_of, last_closed_day
from archive.views import refresh_views
from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent, RetryLater, UserError


@dataclass(frozen=True)
class Archived:
    """What became of one table's day.

    Args:
        table, day: which.
        rows, bytes: in the archive, all pieces together.
        is_new: whether it was written now; otherwise it was archived already.
        is_dropped: whether its rows are in the archive only.
        written_seconds, verified_seconds: how long writing, and both sides' checksums, took; 0 when it was there.
    """

    table: str
    day: date
    rows: int
    bytes: int
    is_new: bool
    is_dropped: bool = False
    written_seconds: float = 0.0
    verified_seconds: float = 0.0


def archive_day(archive: Archive, day: date) -> list[Archived]:
    """Archive what landed on `day`, unless it is archived as it is; harmless to repeat.

    Raises:
        UserError: the day is not over.
        RetryLater: a neighbour is away or busy, or rows landed meanwhile.
        Permanent: a neighbour refuses, or what was written is not what ClickHouse has.
    """
    last = last_closed_day(archive.clock.now())
    if day > last:
        raise UserError(f"{day} is not over yet: rows may still land; the newest day that can be archived is {last}")
    with one_at_a_time(archive.home, day):
        done = [_archive(archive, table, day) for table in TABLES]
        archive.at("views")
        refresh_views(archive)
        archive.at("sweep")
        for table in TABLES:
            _sweep(archive, _stray(archive, table, day, settle(archive, table, day)))
    return done


def _archive(archive: Archive, table: RawTable, day: date) -> Archived:
    standing = settle(archive, table, day)
    if stray := _stray(archive, table, day, standing):
        refresh_views(archive)  # nobody looks at what is deleted
        _sweep(archive, stray)
    with mapped_errors():
        there = offsets_on(archive.client, table.name, day)
    present = standing.having("verified")
    if standing.manifests and there == summed(present).offsets:
        damaged = _damaged(archive, table, day, standing)
        if damaged is None:
            rows, size = (
                sum(getattr(each, name) for each in standing.manifests.values()) for name in ("rows", "bytes")
            )
            is_dropped = any(each.rows for each in standing.having("dropped"))
            return Archived(table.name, day, rows, size, is_new=False, is_dropped=is_dropped)
    return _write(archive, table, day, standing)


def _damaged(archive: Archive, table: RawTable, day: date, standing: Standing) -> str | None:
    """Return what is wrong with a piece whose rows are still in ClickHouse.

    Raises:
        Permanent: a piece is damaged whose rows are nowhere else.
    """
    where = folder(table, day)
    for manifest in standing.having("dropped"):
        if wrong := damage(archive.store, where, manifest):
            raise Permanent(f"{wrong}, and the rows are not in ClickHouse any more: bring the file back from a copy")
    return next((wrong for each in standing.having("verified") if (wrong := damage(archive.store, where, each))), None)


@dataclass(frozen=True)
class _Draft:
    """A piece that is being written: the table's rows of the day as ClickHouse has them."""

    table: RawTable
    day: date
    name: str
    columns: Sequence[Column]
    wanted: Contents

    @property
    def stem(self) -> str:
        return f"{folder(self.table, self.day)}/{self.name}"


def _write(archive: Archive, table: RawTable, day: date, standing: Standing) -> Archived:
    """Write all rows that ClickHouse has of the day as one piece, which takes the place of those it had there."""
    clock, client = archive.clock, archive.client
    began = clock.monotonic()
    with mapped_errors():
        columns = columns_of(client, table.name)
        draft = _Draft(table, day, archive.new_name(), columns, contents_on(client, table.name, day, columns))
    reckoned = clock.monotonic()
    archive.at("write")
    groups = read_groups(client, table, day, columns)
    groups = archive.followed(f"writing {table.name} of {day}", groups, draft.wanted.rows)
    files = write_files(groups, archive.store, draft.stem)
    written = clock.monotonic()
    archive.at("verify")
    archive.progress(f"verifying {table.name} of {day}", 0, 0)
    _compare(archive, draft, files)
    verified = clock.monotonic()
    old = standing.having("verified")
    manifest = _manifest(archive, draft, files, tuple(each.piece for each in old))
    archive.at("manifest")
    with archive.store.writing(f"{draft.stem}.json") as sink:
        sink.write(encode(manifest))
    archive.at("record")
    archive.ledger.record([(manifest, "verified"), *((each, "superseded") for each in old)])
    rows, size = (
        sum(getattr(each, name) for each in (manifest, *standing.having("dropped"))) for name in ("rows", "bytes")
    )
    return Archived(
        table.name, day, rows, size, is_new=True,
        written_seconds=written - reckoned, verified_seconds=verified - written + reckoned - began,
    )  # fmt: skip


def _compare(archive: Archive, draft: _Draft, files: Sequence[ParquetFile]) -> None:
    """Read the files back with DuckDB and compare with what ClickHouse has.

    Raises:
        RetryLater: rows landed while the day was written.
        Permanent: something differs, or cannot be read.
    """
    where = folder(draft.table, draft.day)
    found = read_contents(archive.store, [f"{where}/{file.name}" for file in files], draft.columns)
    wrong = draft.wanted.difference(found)
    for file in files if wrong is None else ():
        if archive.store.digest(f"{where}/{file.name}") != (file.bytes, file.sha256):
            wrong = f"other bytes in {file.name} than were written"
    if wrong is None:
        return
    with mapped_errors():
        there = offsets_on(archive.client, draft.table.name, draft.day)
    if there != draft.wanted.offsets:
        raise RetryLater(f"rows landed in {draft.table.name} of {draft.day} while it was archived; it is tried again")
    raise Permanent(f"{draft.table.name} of {draft.day} was not archived: read back, the files hold {wrong}")


def _manifest(archive: Archive, draft: _Draft, files: tuple[ParquetFile, ...], supersedes: tuple[str, ...]) -> Manifest:
    offsets, columns = entries(draft.wanted, draft.columns)
    return Manifest(
        draft.table.name, draft.day, draft.name, supersedes, FORMAT, archive.clock.now().isoformat(),
        draft.wanted.rows, files, offsets, columns,
    )  # fmt: skip


def _stray(archive: Archive, table: RawTable, day: date, standing: Standing) -> list[str]:
    """Return the files that no manifest names: of runs that broke off, and of pieces that others superseded."""
    where = folder(table, day)
    kept = {f"{where}/{name}.json" for name in standing.manifests}
    kept |= {f"{where}/{file.name}" for manifest in standing.manifests.values() for file in manifest.files}
    return [name for name in archive.store.names(where) if name not in kept]


def _sweep(archive: Archive, stray: Sequence[str]) -> None:
    """Delete them; the files of a manifest go after it: without it they do not count."""
    for name in sorted(stray, key=lambda name: not name.endswith(".json")):
        archive.store.delete(name)
