"""Row counts and columns of ClickHouse tables and views, for a few cheap queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

_ROWS = """
SELECT database, name, total_rows
FROM system.tables
WHERE (database, name) IN {tables:Array(Tuple(String, String))}
"""
_COLUMNS = """
SELECT database, table, name, type, comment
FROM system.columns
WHERE (database, table) IN {tables:Array(Tuple(String, String))}
ORDER BY database, table, position
"""

# Counting a view runs it. A view over more rows than this, which ClickHouse knows before it reads them, or one that
# takes longer (seconds), has no count rather than a slow run. Runs that come every few seconds are in a hurry.
_BUDGET: Final = {"max_rows_to_read": 20_000_000, "max_execution_time": 2, "max_threads": 1}
_HURRIED: Final = {"max_rows_to_read": 300_000, "max_execution_time": 0.1, "max_threads": 1}
_COUNTERS: Final = 2

MetadataOf = Callable[[dg.AssetKey], Mapping[str, Any]]


@contextmanager
def table_metadata(client: Client, keys: Sequence[dg.AssetKey], *, in_a_hurry: bool = False) -> Iterator[MetadataOf]:
    """Yield what gives the `dagster/row_count` and `dagster/column_schema` of each of the keys.

    A table's count is what its parts' headers say (no scan). A view is counted within a budget, in the order of the
    keys, while the caller does something with those before it.
    """
    columns: dict[dg.AssetKey, list[dg.TableColumn]] = defaultdict(list)
    for database, table, name, kind, comment in client.query(_COLUMNS, parameters=_tables(keys)).result_rows:
        column = dg.TableColumn(name=name, type=kind, description=comment or None)
        columns[dg.AssetKey([database, table])].append(column)
    found = client.query(_ROWS, parameters=_tables(keys)).result_rows
    rows = {dg.AssetKey([database, table]): count for database, table, count in found}
    pool = ThreadPoolExecutor(_COUNTERS, thread_name_prefix="count")
    budget = _HURRIED if in_a_hurry else _BUDGET
    counts = {key: pool.submit(_count, client, key, budget) for key in keys if key in rows and rows[key] is None}

    def of(key: dg.AssetKey) -> Mapping[str, Any]:
        counted = counts[key].result() if key in counts else rows.get(key)
        return {
            **({"dagster/column_schema": dg.TableSchema(columns=columns[key])} if key in columns else {}),
            **({} if counted is None else {"dagster/row_count": counted, "dagster/storage_kind": "clickhouse"}),
        }

    try:
        yield of
    finally:
        pool.shutdown(cancel_futures=True)


def table_columns(client: Client, keys: Sequence[dg.AssetKey]) -> Mapping[dg.AssetKey, Mapping[str, str]]:
    """Return the type of each column of each table that exists."""
    found: dict[dg.AssetKey, dict[str, str]] = defaultdict(dict)
    for database, table, name, kind, _ in client.query(_COLUMNS, parameters=_tables(keys)).result_rows:
        found[dg.AssetKey([database, table])][name] = kind
    return found


def _tables(keys: Sequence[dg.AssetKey]) -> dict[str, list[tuple[str, ...]]]:
    return {"tables": [tuple(key.path) for key in keys]}


def _count(client: Client, view: dg.AssetKey, budget: Mapping[str, float]) -> int | None:
    database, name = view.path
    try:
        answer = client.query(
            "SELECT count() FROM {database:Identifier}.{view:Identifier}",
            parameters={"database": database, "view": name},
            settings=dict(budget),
        )
    except ClickHouseError:
        return None
    return int(answer.result_rows[0][0])
