"""Which offsets ClickHouse has already, a window at a time, so that memory does not follow the stretch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.errors import UserError
from contracts.names import ARCHIVED_OFFSETS, RAW_DEAD_LETTERS, RAW_EVENTS
from streaming.ingest.records import Partition, Ranges

WINDOW: Final = 2_000_000
_PLACE: Final = (
    "kafka_topic = {topic:String} AND kafka_partition = {partition:UInt32} "
    "AND kafka_offset >= {first:UInt64} AND kafka_offset < {end:UInt64}"
)
# A run of offsets has one difference between the offset and its place in the order: one row a run.
_RUNS: Final = f"""
SELECT min(kafka_offset), max(kafka_offset) FROM
(
    SELECT kafka_offset, kafka_offset - row_number() OVER (ORDER BY kafka_offset) AS run
    FROM
    (
        SELECT DISTINCT kafka_offset FROM
        (
            SELECT kafka_offset FROM {RAW_EVENTS} WHERE {_PLACE}
            UNION ALL
            SELECT kafka_offset FROM {RAW_DEAD_LETTERS} WHERE {_PLACE}
        )
    )
)
GROUP BY run"""  # noqa: S608 - constant names

# Days that are in the archive only, or on the way: nobody can tell here which of these offsets they hold.
_AWAY: Final = f"""
SELECT DISTINCT toString(day) AS landed FROM {ARCHIVED_OFFSETS}
WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt32}} AND state IN ('moving', 'dropped')
    AND first_offset < {{end:UInt64}} AND last_offset >= {{first:UInt64}}
ORDER BY landed"""  # noqa: S608 - constant names


class Known:
    """The offsets of one partition that are in either raw table; ask in rising order.

    Args:
        client: returns the connected client; needs no right but SELECT on the three offset columns and
            on the archived offsets.
        partition: whose offsets.
        window: offsets asked for at once.
    """

    def __init__(self, client: Callable[[], Client], partition: Partition, window: int = WINDOW) -> None:
        self._client = client
        self._partition = partition
        self._window = window
        self._ranges = Ranges()
        self._end = 0

    def __contains__(self, offset: int) -> bool:
        if offset >= self._end:
            self._load(offset)
        return offset in self._ranges

    def _load(self, first: int) -> None:
        self._end = first + self._window
        parameters = {
            "topic": self._partition.topic,
            "partition": self._partition.number,
            "first": first,
            "end": self._end,
        }
        with mapped_errors():
            rows = self._client().query(_RUNS, parameters=parameters).result_rows
            # Asked afterwards: a day that left in between was `moving` before its first row was gone.
            away = [str(row[0]) for row in self._client().query(_AWAY, parameters=parameters).result_rows]
        if away:
            more = f" and {len(away) - 1} more days" if len(away) > 1 else ""
            raise UserError(
                f"{self._partition} from offset {first}: rows of {away[0]}{more} are in the archive only, and would be "
                f"written a second time; run `millrace restore {away[0]}` first, or begin later"
            )
        self._ranges = Ranges((int(low), int(high)) for low, high in rows)
