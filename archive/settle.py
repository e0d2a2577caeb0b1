"""Before any work on a day: end what broke off, and bring the ledger in agreement with the archive."""

from __future__ import annotations

from datetime import date
from typing import Final

from archive.contents import added, offsets_on
from archive.ledger import State
from archive.place import Archive, Standing, current
from archive.tables import RawTable, partition_id
from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent

_KEY: Final = "kafka_topic, kafka_partition, kafka_offset"
# A table may be larger than what the server lets people drop by mistake.
DROP: Final = "DROP TABLE IF EXISTS {table} SYNC SETTINGS max_table_size_to_drop = 0, max_partition_size_to_drop = 0"


def leaving(table: RawTable, day: date) -> str:
    """Return the table that holds a day's rows between ClickHouse and nowhere."""
    return f"ops.leaving_{table.folder}_{partition_id(day)}"


def settle(archive: Archive, table: RawTable, day: date) -> Standing:
    """Return how the day stands, with no move under way.

    Raises:
        RetryLater, Permanent: a neighbour is away, or the day in ClickHouse is neither what the archive has nor
            without anything of it.
    """
    manifests = current(archive.manifests(table, day))
    known = {
        name: piece for name, piece in archive.ledger.of_day(table.name, day).items() if piece.state != "superseded"
    }
    superseded = {name for manifest in manifests.values() for name in manifest.supersedes}
    lost = [piece for name, piece in known.items() if name not in manifests and name not in superseded]
    if any(piece.rows and piece.state != "verified" for piece in lost):
        raise Permanent(
            f"the archive at {archive.store.address('')} lacks {lost[0].name} of {table.name} of {day}, whose rows are "
            "not in ClickHouse: is ARCHIVE_URL right?"
        )
    standing = Standing(manifests, {name: known[name].state for name in manifests if name in known})
    bring_back(archive, table, day)
    _name_states(archive, table, day, standing)
    # A piece whose manifest is gone counts no more: its rows are in ClickHouse, and are archived again.
    archive.ledger.record([], [piece for name, piece in known.items() if name not in manifests])
    return standing


def bring_back(archive: Archive, table: RawTable, day: date) -> None:
    """Undo a drop that broke off: what it had moved aside goes back."""
    side = leaving(table, day)
    with mapped_errors():
        if not archive.client.command(f"EXISTS TABLE {side}"):
            return
        inside = f"(SELECT {_KEY} FROM {table.name} WHERE toDate(ingested_at) = {{day:Date}})"  # noqa: S608 - ours
        rows, doubled = archive.client.query(
            f"SELECT count(), countIf(({_KEY}) IN {inside}) FROM {side}",  # noqa: S608 - ours
            parameters={"day": day},
        ).result_rows[0]
        there = sum(span.rows for span in offsets_on(archive.client, table.name, day).values())
        if rows and not doubled:
            move_in(archive, table, day, side)
        elif doubled < there:
            raise Permanent(f"{side} and {table.name} both hold rows of {day}, and neither holds all of them")
        elif rows > there:
            # The server died while it moved parts: those that are back already are among these.
            archive.client.command(f"ALTER TABLE {table.name} REPLACE PARTITION ID '{partition_id(day)}' FROM {side}")
        archive.client.command(DROP.format(table=side))


def move_in(archive: Archive, table: RawTable, day: date, source: str) -> None:
    """Add the day's rows of `source`, a table like the raw one, to it; inside `mapped_errors`."""
    archive.client.command(f"ALTER TABLE {table.name} ATTACH PARTITION ID '{partition_id(day)}' FROM {source}")


def _name_states(archive: Archive, table: RawTable, day: date, standing: Standing) -> None:
    """Find out of pieces that the ledger does not know, or that were on the way, where their rows are."""
    unsure = [each for name, each in standing.manifests.items() if standing.states.get(name) in (None, "moving")]
    if not unsure:
        return
    with mapped_errors():
        there = offsets_on(archive.client, table.name, day)
    verified = added(*(each.contents.offsets for each in standing.having("verified")))
    state: State
    if there == added(verified, *(each.contents.offsets for each in unsure)):
        state = "verified"
    elif there == verified:
        state = "dropped"
    else:
        names = ", ".join(each.piece for each in unsure)
        raise Permanent(
            f"{table.name} of {day} holds neither all nor nothing of what the archive has as {names}: if a restore "
            f"broke off, repeat `millrace restore {day}`; if this archive is another installation's, change ARCHIVE_URL"
        )
    archive.ledger.record([(each, state) for each in unsure])
    standing.states.update({each.piece: state for each in unsure})


def refuse_on_cluster(archive: Archive, what: str) -> None:
    """Return unless raw is divided among shards.

    Raises:
        Permanent: it is; a partition would have to move on each of its servers at once.
    """
    if archive.is_cluster:
        raise Permanent(f"{what} works on one server, and CLICKHOUSE_CLUSTER is set: see docs/archive.md")
