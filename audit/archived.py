"""Days that are in the archive and not in ClickHouse: their offsets count as rows of the raw table that they left.

`ops.archived_days` tells them apart. A day on the way (`moving`) is in the raw table or in the archive alone; which of
both, the table's own rows of that day say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from clickhouse_connect.driver.client import Client

from audit.report import OffsetRange
from audit.sums import Sums
from contracts.names import ARCHIVED_OFFSETS, RAW_EVENTS

_GONE: Final = f"""
SELECT table_name, day, state, kafka_partition, first_offset, last_offset, offset_rows, offset_total, offset_squares
FROM {ARCHIVED_OFFSETS} WHERE kafka_topic = {{topic:String}} AND state IN ('moving', 'dropped')
ORDER BY day, table_name, piece, kafka_partition"""  # noqa: S608 - constant names
_STAYED: Final = f"""
SELECT sum(offset_rows) FROM {ARCHIVED_OFFSETS}
WHERE table_name = {{table:String}} AND day = {{day:Date}} AND kafka_topic = {{topic:String}} AND state = 'verified'"""  # noqa: S608
_THERE: Final = (
    "SELECT count() FROM {table} WHERE toDate(ingested_at) = {{day:Date}} AND kafka_topic = {{topic:String}}"
)


@dataclass(frozen=True)
class ArchivedSpan:
    """What the archive alone has of one partition, table and day.

    Args:
        day: of landing.
        is_event: of raw.events, otherwise of raw.dead_letters.
        offsets: the lowest and the highest; others may lie between them.
        sums: their fingerprint.
    """

    day: date
    is_event: bool
    offsets: OffsetRange
    sums: Sums


def read_archived(client: Client, topic: str) -> dict[int, tuple[ArchivedSpan, ...]]:
    """Return what is in the archive only, by partition; call it inside `mapped_errors`."""
    found: dict[int, tuple[ArchivedSpan, ...]] = {}
    is_away: dict[tuple[str, date], bool] = {}
    for table, day, state, partition, first, last, *sums in client.query(
        _GONE, parameters={"topic": topic}
    ).result_rows:
        if state == "moving" and (table, day) not in is_away:
            is_away[table, day] = _has_left(client, table, day, topic)
        if state == "dropped" or is_away[table, day]:
            span = ArchivedSpan(day, table == RAW_EVENTS, OffsetRange(first, last), Sums(*sums))
            found[partition] = (*found.get(partition, ()), span)
    return found


def _has_left(client: Client, table: str, day: date, topic: str) -> bool:
    asked = {"table": table, "day": day, "topic": topic}
    stayed = client.query(_STAYED, parameters=asked).result_rows[0][0]
    there = client.query(_THERE.format(table=table), parameters=asked).result_rows[0][0]
    return bool(there <= stayed)
