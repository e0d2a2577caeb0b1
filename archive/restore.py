"""Bring a day back from the archive, bit for bit, into the partition it left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from archive.contents import Contents, contents_on
from archive.guard import one_at_a_time
from archive.ledger import State
from archive.manifest import Manifest, folder
from archive.parquet import load_batches, read_files
from archive.place import Archive, current, summed
from archive.readback import damage
from archive.settle import DROP, bring_back, move_in, refuse_on_cluster
from archive.tables import TABLES, RawTable, partition_id
from archive.views import refresh_views
from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent, UserError

_PLACE: Final = "kafka_topic, kafka_partition, kafka_offset"


@dataclass(frozen=True)
class Restored:
    """What a restore did to one table: rows that came back, and rows that were there already."""

    table: str
    rows: int
    there: int


def restore_day(archive: Archive, day: date) -> list[Restored]:
    """Put the archived rows of `day` back into the raw tables; harmless to repeat, also after it broke off.

    Raises:
        UserError: the day is not archived, or ClickHouse has other rows of it.
        RetryLater: a neighbour is away or busy.
        Permanent: a neighbour refuses, or a file is damaged.
    """
    refuse_on_cluster(archive, "millrace restore")
    with one_at_a_time(archive.home, day):
        found = {table: current(archive.manifests(table, day)) for table in TABLES}
        if not any(found.values()):
            raise UserError(f"{day} is not in the archive; `millrace archive list` shows what is")
        for table, manifests in found.items():
            for manifest in manifests.values():
                if wrong := damage(archive.store, folder(table, day), manifest):
                    raise Permanent(wrong)
        done = [
            _restore(archive, table, day, list(manifests.values())) for table, manifests in found.items() if manifests
        ]
        refresh_views(archive)
    return done


def _restore(archive: Archive, table: RawTable, day: date, pieces: list[Manifest]) -> Restored:
    bring_back(archive, table, day)
    wanted = summed(pieces)
    there = _contents(archive, table.name, day, pieces)
    if wanted.difference(there) is None:
        _record(archive, pieces, "verified")
        return Restored(table.name, 0, there.rows)
    side = f"ops.returning_{table.folder}_{partition_id(day)}"
    try:
        _load(archive, table, day, pieces, side)
        coming = _contents(archive, side, day, pieces)
        if wrong := wanted.difference(there.plus(coming)):
            raise UserError(
                f"ClickHouse has rows of {day} in {table.name} that are not those of the archive ({wrong}): nothing "
                f"was restored. `millrace archive run {day}` archives them; rows that are wrong must be deleted first"
            )
        archive.at("moving")
        _record(archive, pieces, "moving")
        archive.at("attach")
        with mapped_errors():
            move_in(archive, table, day, side)
        archive.at("compare")
        archive.progress(f"comparing {table.name} of {day}", 0, 0)
        if wrong := wanted.difference(_contents(archive, table.name, day, pieces)):
            raise Permanent(f"after the restore {table.name} of {day} holds {wrong}: `millrace audit` says more")
        archive.at("record")
        _record(archive, pieces, "verified")
    finally:
        with mapped_errors():
            archive.client.command(DROP.format(table=side))
    return Restored(table.name, coming.rows, there.rows)


def _load(archive: Archive, table: RawTable, day: date, pieces: list[Manifest], side: str) -> None:
    """Fill a table like the raw one with those archived rows that are not there."""
    with mapped_errors():
        archive.client.command(DROP.format(table=side))
        archive.client.command(f"CREATE TABLE {side} AS {table.name}")
    archive.at("load")
    for piece in pieces:
        names = [f"{folder(table, day)}/{file.name}" for file in piece.files]
        rows = read_files(archive.store, names, piece.described)
        rows = archive.followed(f"loading {table.name} of {day}", rows, piece.rows)
        load_batches(archive.client, rows, piece.described, side)
    there = f"SELECT {_PLACE} FROM {table.name} WHERE toDate(ingested_at) = {{day:Date}}"  # noqa: S608 - our own names
    with mapped_errors():
        archive.client.command(
            f"ALTER TABLE {side} DELETE WHERE ({_PLACE}) IN ({there}) SETTINGS mutations_sync = 2",
            parameters={"day": day},
        )


def _contents(archive: Archive, table: str, day: date, pieces: list[Manifest]) -> Contents:
    """Return what a table holds of the day, in the columns that all pieces have."""
    common = set.intersection(*({each.name for each in piece.columns} for piece in pieces))
    columns = [each for each in pieces[0].described if each.name in common]
    with mapped_errors():
        return contents_on(archive.client, table, day, columns)


def _record(archive: Archive, pieces: list[Manifest], state: State) -> None:
    known = archive.ledger.of_day(pieces[0].table, pieces[0].day)
    archive.ledger.record(
        [(each, state) for each in pieces if each.piece not in known or known[each.piece].state != state]
    )
