"""Count what was lost or doubled, against what the producer wrote down of each delivery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors

_ROWS = """
SELECT kafka_partition AS partition, kafka_offset AS offset, count() AS copies
FROM (
    SELECT kafka_partition, kafka_offset FROM raw.events WHERE kafka_topic = {topic:String}
    UNION ALL
    SELECT kafka_partition, kafka_offset FROM raw.dead_letters WHERE kafka_topic = {topic:String}
)
GROUP BY partition, offset
"""
_KEYS = {"partition": pl.Int64, "offset": pl.Int64}


@dataclass(frozen=True)
class Reckoning:
    """What became of the delivered messages.

    Args:
        produced: messages the broker acknowledged to the producer.
        missing: of these, in neither raw table.
        duplicated: surplus copies, of one (partition, offset) in both tables together.
        unexplained: rows in the raw tables that the producer has no record of.
    """

    produced: int
    missing: int
    duplicated: int
    unexplained: int


def reckon(client: Client, topic: str, record: Path) -> Reckoning:
    """Compare the record's (partition, offset) pairs with those in the raw tables.

    Raises:
        RetryLater, Permanent: ClickHouse cannot be reached or refuses.
    """
    delivered = read_record(record, ["topic", "partition", "offset"])
    delivered = delivered.filter(pl.col("topic") == topic).select(
        pl.col(name).cast(kind) for name, kind in _KEYS.items()
    )
    with mapped_errors():
        table = client.query_arrow(_ROWS, parameters={"topic": topic})
    landed = pl.DataFrame(table).select(
        *(pl.col(name).cast(kind) for name, kind in _KEYS.items()), pl.col("copies").cast(pl.Int64)
    )
    return Reckoning(
        produced=delivered.height,
        missing=delivered.join(landed, on=list(_KEYS), how="anti").height,
        duplicated=int(landed.select((pl.col("copies") - 1).sum()).item() or 0),
        unexplained=landed.join(delivered, on=list(_KEYS), how="anti").height,
    )


def read_record(folder: Path, columns: list[str]) -> pl.DataFrame:
    """Return these columns of every complete part of the producer's record below `folder`."""
    parts = sorted(folder.rglob("*.parquet"))
    if not parts:
        return pl.DataFrame({name: [] for name in columns})
    return pl.concat([pl.read_parquet(part, columns=columns) for part in parts], how="vertical_relaxed")
