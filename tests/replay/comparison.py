"""Compare marts with each other and with the oracle's."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.names import MARTS

Rows = dict[str, list[tuple[Any, ...]]]


def contents(client: Client) -> Rows:
    """Return the rows of every mart, sorted."""
    return {mart: sorted(client.query(f"SELECT * FROM marts.{mart}").result_rows, key=repr) for mart in MARTS}


def assert_same(client: Client, mart: str, expected: pl.DataFrame) -> None:
    """Compare a mart with the oracle's, row by row, in the columns that the oracle knows."""
    columns = [column if column != "hour" else "event_hour" for column in expected.columns]
    answer = client.query(f"SELECT {', '.join(columns)} FROM marts.{mart}", query_tz="UTC", tz_mode="aware")
    found = [dict(zip(columns, row, strict=True)) for row in answer.result_rows]
    wanted = [dict(zip(columns, row, strict=True)) for row in expected.rows()]
    ours, theirs = sorted(map(_plain, found)), sorted(map(_plain, wanted))
    different = next(((one, other) for one, other in zip(ours, theirs, strict=False) if one != other), None)
    assert different is None, (mart, *different)
    assert len(ours) == len(theirs), mart


def _plain(row: dict[str, Any]) -> str:
    """Return a row as text that is the same for equal values of different types."""
    by_type = dict(sorted(row.pop("events_by_type", {}).items()))
    return repr([by_type and {kind: n for kind, n in by_type.items() if n}, *map(_value, row.items())])


def _value(item: tuple[str, Any]) -> tuple[str, Any]:
    name, value = item
    if isinstance(value, Decimal):
        return name, value.normalize() + 0
    if isinstance(value, datetime):
        return name, value.isoformat()
    if isinstance(value, (list, tuple, pl.Series)):
        return name, list(value)
    return name, int(value) if isinstance(value, bool) else value
