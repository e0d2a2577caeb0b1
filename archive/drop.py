"""Retention: a day leaves ClickHouse once its archive is proven anew and the marts have folded it in.

Its rows are first moved aside, which is atomic, and compared with the archive there: what lands in the day at that
very moment is not lost with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from archive.contents import Offsets, offsets_on
from archive.guard import one_at_a_time
from archive.manifest import Manifest, folder
from archive.marts import not_folded_in
from archive.place import Archive, summed
from archive.readback import damage
from archive.settle import DROP, leaving, move_in, refuse_on_cluster, settle
from archive.tables import EVENTS, TABLES, RawTable, partition_id
from contracts.clickhouse import mapped_errors
from contracts.errors import RetryLater
from contracts.names import ARCHIVED_OFFSETS

_MARKS: Final = f"""
SELECT kafka_topic, kafka_partition, max(mark) FROM
(
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS mark FROM {EVENTS.name} GROUP BY ALL
    UNION ALL
    SELECT kafka_topic, kafka_partition, last_offset FROM {ARCHIVED_OFFSETS} WHERE table_name = '{EVENTS.name}'
)
GROUP BY ALL"""  # noqa: S608 - constant names


@dataclass(frozen=True)
class Retained:
    """What became of one day of one table.

    Args:
        table, day: which.
        rows: that left ClickHouse.
        held: why they did not, None when they did.
    """

    table: str
    day: date
    rows: int = 0
    held: str | None = None


def drop_old_days(archive: Archive, retention_days: int) -> list[Retained]:
    """Take archived days that are over for more than `retention_days` days out of ClickHouse; 0 keeps them for ever.

    Raises:
        RetryLater, Permanent: ClickHouse is away, or refuses. A day that cannot leave is no error: its entry says why.
    """
    if not retention_days:
        return []
    refuse_on_cluster(archive, "RETENTION_DAYS")
    before = archive.clock.now().date() - timedelta(days=retention_days)
    old = {piece.day for piece in archive.ledger.all() if piece.day < before and piece.state in ("verified", "moving")}
    done: list[Retained] = []
    for day in sorted(old):
        with one_at_a_time(archive.home, day):
            done += [found for table in TABLES if (found := _drop(archive, table, day)) is not None]
    return done


def _drop(archive: Archive, table: RawTable, day: date) -> Retained | None:
    standing = settle(archive, table, day)
    present = standing.having("verified")
    wanted = summed(present).offsets
    with mapped_errors():
        there = offsets_on(archive.client, table.name, day)
    if not wanted and not there:
        return None
    held = _reason_to_keep(archive, table, day, present, there)
    if held is not None:
        return Retained(table.name, day, held=held)
    archive.at("moving")
    archive.ledger.record([(each, "moving") for each in present])
    archive.at("aside")
    _take(archive, table, day, present)
    archive.at("dropped")
    archive.ledger.record([(each, "dropped") for each in present])
    return Retained(table.name, day, rows=sum(each.rows for each in present))


def _reason_to_keep(
    archive: Archive, table: RawTable, day: date, present: list[Manifest], there: Offsets
) -> str | None:
    if there != summed(present).offsets:
        return "rows landed since it was archived; the next archiving of the day adds them"
    with mapped_errors():
        is_needed = not_folded_in(archive.client, day, there) if table is EVENTS else _above_the_mark(archive, there)
    if is_needed is not None:
        return is_needed
    where = folder(table, day)
    return next((wrong for each in present if (wrong := damage(archive.store, where, each))), None)


def _above_the_mark(archive: Archive, letters: Offsets) -> str | None:
    """Return why dead letters must stay: a worker finds those behind the last event of its partition only there."""
    marks = {(row[0], row[1]): row[2] for row in archive.client.query(_MARKS).result_rows}
    for (topic, partition), span in letters.items():
        if span.last > marks.get((topic, partition), -1):
            return f"no event has landed behind the dead letter {topic}:{partition}:{span.last} yet"
    return None


def _take(archive: Archive, table: RawTable, day: date, present: list[Manifest]) -> None:
    """Move the day's rows aside, look at them once more, and drop them.

    Raises:
        RetryLater: rows had landed; all are back in the table.
    """
    side, client = leaving(table, day), archive.client
    with mapped_errors():
        client.command(f"CREATE TABLE IF NOT EXISTS {side} AS {table.name}")
        client.command(f"ALTER TABLE {table.name} MOVE PARTITION ID '{partition_id(day)}' TO TABLE {side}")
        archive.at("compare")
        is_same = offsets_on(client, side, day) == summed(present).offsets
        if not is_same:
            move_in(archive, table, day, side)
        archive.at("drop")
        client.command(DROP.format(table=side))
    if not is_same:
        archive.ledger.record([(each, "verified") for each in present])
        raise RetryLater(f"rows landed in {table.name} of {day} while it was to leave; nothing left")
