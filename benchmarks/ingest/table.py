"""The target table: `raw.events` as the migrations make it, made anew for each run, and what landed in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS

_COUNT: Final = f"SELECT count() FROM {RAW_EVENTS}"  # noqa: S608 - a constant name
_FINGERPRINT: Final = (
    "SELECT count(), uniqExact(kafka_partition, kafka_offset), sum(cityHash64(* EXCEPT (ingested_at))) "  # noqa: S608 - a constant name
    f"FROM {RAW_EVENTS}"
)


@dataclass(frozen=True)
class Landed:
    """What a run left in the table.

    Args:
        rows: rows, repeats included.
        distinct: different pairs of partition and offset.
        fingerprint: sum over the rows of a hash of all columns but `ingested_at`.
    """

    rows: int
    distinct: int
    fingerprint: int


class Target:
    """`raw.events`, emptied by dropping it, so that no merge of an earlier run goes on in a later one.

    Args:
        client: may create and drop tables.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._create = str(client.query(f"SHOW CREATE TABLE {RAW_EVENTS}").result_rows[0][0])

    def renew(self) -> None:
        """Replace the table by a fresh one, and empty the dead letters."""
        self._client.command(f"DROP TABLE {RAW_EVENTS} SYNC")
        self._client.command(self._create)
        self._client.command(f"TRUNCATE TABLE {RAW_DEAD_LETTERS}")

    def rows(self) -> int:
        """Return how many rows a reader sees at this moment."""
        return int(self._client.query(_COUNT).result_rows[0][0])

    def landed(self) -> Landed:
        """Return what is in the table; reads all of it."""
        return Landed(*map(int, self._client.query(_FINGERPRINT).result_rows[0]))
