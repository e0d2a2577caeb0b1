"""The independent count: the raw tables against the producer's record, sharing nothing with ingest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl
from clickhouse_connect.driver.client import Client

PLACE: Final = ["partition", "offset"]
_NUMBER: Final = "reinterpretAsUInt64(reverse(unhex(right({text}, 12))))"
_SOURCES: Final = (("raw.events", "toString(event_id)", 0), ("raw.dead_letters", "assumeNotNull(payload)", 1))


@dataclass(frozen=True)
class Count:
    """What the tables hold of what was acknowledged.

    Args:
        rows: rows of the topic in both tables.
        lost: acknowledged offsets in neither table.
        doubled: offsets there more than once, with the number of rows in `times`.
        extra: offsets below the last acknowledged one that the producer knows nothing of.
        wrong: offsets whose row carries another event, or lies in the other table.
    """

    rows: int
    lost: pl.DataFrame
    doubled: pl.DataFrame
    extra: pl.DataFrame
    wrong: pl.DataFrame

    def totals(self) -> dict[str, int]:
        """Return how many of each kind; all 0 when every acknowledged offset is there once, with its own event."""
        surplus = int(self.doubled["times"].sum()) - self.doubled.height
        return {"lost": self.lost.height, "doubled": surplus, "extra": self.extra.height, "wrong": self.wrong.height}


def rows_of(client: Client, topic: str) -> pl.DataFrame:
    """Return partition, offset, number and bad of every row of the topic in both tables."""
    parts = [
        f"SELECT kafka_partition AS partition, kafka_offset AS offset, {_NUMBER.format(text=text)} AS number, "
        f"toUInt8({bad}) AS bad FROM {table} WHERE kafka_topic = {{topic:String}}"
        for table, text, bad in _SOURCES
    ]
    found = client.query_arrow(" UNION ALL ".join(parts), parameters={"topic": topic})
    kinds = {"partition": pl.UInt32, "offset": pl.UInt64, "number": pl.UInt64, "bad": pl.UInt8}
    return pl.DataFrame(found).select(pl.col(name).cast(kind) for name, kind in kinds.items())


def compare(record: pl.DataFrame, rows: pl.DataFrame) -> Count:
    """Return how the rows differ from the record; rows beyond a partition's last acknowledged offset are left out.

    Args:
        record: partition, offset, number, bad: what the broker acknowledged at some moment.
        rows: the same columns, read from the tables after that moment.
    """
    ends = record.group_by("partition").agg(end=pl.col("offset").max())
    known = rows.join(ends, on="partition").filter(pl.col("offset") <= pl.col("end"))
    places = known.group_by(PLACE).agg(times=pl.len())
    together = known.join(record, on=PLACE, suffix="_sent")
    differs = (pl.col("number") != pl.col("number_sent")) | (pl.col("bad") != pl.col("bad_sent"))
    return Count(
        rows.height,
        record.join(places, on=PLACE, how="anti").select(PLACE).sort(PLACE),
        places.filter(pl.col("times") > 1).sort(PLACE),
        places.join(record, on=PLACE, how="anti").select(PLACE).sort(PLACE),
        together.filter(differs).select(PLACE).unique().sort(PLACE),
    )


class Known:
    """What earlier rounds found, so that each round answers for its own.

    `totals` holds, by kind, how many there were at the last look.
    """

    def __init__(self) -> None:
        self.totals: dict[str, int] = {"lost": 0, "doubled": 0, "extra": 0, "wrong": 0}
        self._places: dict[str, pl.DataFrame] = {}

    def news(self, count: Count) -> tuple[dict[str, int], list[str]]:
        """Return what `count` has above what is known, by kind, and a line about the places of each; remember it."""
        totals, lines = count.totals(), []
        found = {name: max(0, total - self.totals[name]) for name, total in totals.items()}
        for name, number in found.items():
            places: pl.DataFrame = getattr(count, name)
            if number and name in self._places:
                places = places.join(self._places[name], on=places.columns, how="anti")
            if number:
                lines.append(f"{name}: {ranges(places)}")
            self._places[name] = getattr(count, name)
        self.totals = totals
        return found, lines


def ranges(places: pl.DataFrame, most: int = 20) -> str:
    """Return the places as `partition:first-last`, at most so many runs."""
    runs: list[list[int]] = []
    for partition, offset in places.select(PLACE).sort(PLACE).iter_rows():
        if runs and runs[-1][0] == partition and runs[-1][2] + 1 == offset:
            runs[-1][2] = offset
        else:
            runs.append([partition, offset, offset])
    texts = [f"{partition}:{first}-{last}" for partition, first, last in runs[:most]]
    return ", ".join(texts) + (f", and {len(runs) - most} more runs" if len(runs) > most else "")
