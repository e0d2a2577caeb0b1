"""Row counts and columns of ClickHouse tables and views, for a few cheap queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

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

# Counting a view runs it. This happens after every run, so a view over more rows than this, or one that
# takes longer (seconds), has no count rather than a slow run.
_COUNT_BUDGET: Final = {"max_rows_to_read": 2_000_000, "max_execution_time": 0.1, "max_threads": 1}


def table_metadata(client: Client, keys: Sequence[dg.AssetKey]) -> Mapping[dg.AssetKey, Mapping[str, Any]]:
    """Return `dagster/row_count` and `dagster/column_schema` by asset key.

    A table's count is what its parts' headers say (no scan); a view is counted within a budget.
    """
    if not keys:
        return {}
    tables = _tables(keys)
    columns: dict[dg.AssetKey, list[dg.TableColumn]] = defaultdict(list)
    for database, table, name, kind, comment in client.query(_COLUMNS, parameters=tables).result_rows:
        column = dg.TableColumn(name=name, type=kind, description=comment or None)
        columns[dg.AssetKey([database, table])].append(column)
    found: dict[dg.AssetKey, dict[str, Any]] = {
        key: {"dagster/column_schema": dg.TableSchema(columns=listed)} for key, listed in columns.items()
    }
    for database, table, rows in client.query(_ROWS, parameters=tables).result_rows:
        counted = rows if rows is not None else _count(client, database, table)
        if counted is not None:
            said = found.setdefault(dg.AssetKey([database, table]), {})
            said |= {"dagster/row_count": int(counted), "dagster/storage_kind": "clickhouse"}
    return found


def table_columns(client: Client, keys: Sequence[dg.AssetKey]) -> Mapping[dg.AssetKey, Mapping[str, str]]:
    """Return the type of each column of each table that exists."""
    found: dict[dg.AssetKey, dict[str, str]] = defaultdict(dict)
    for database, table, name, kind, _ in client.query(_COLUMNS, parameters=_tables(keys)).result_rows:
        found[dg.AssetKey([database, table])][name] = kind
    return found


def _tables(keys: Sequence[dg.AssetKey]) -> dict[str, list[tuple[str, ...]]]:
    return {"tables": [tuple(key.path) for key in keys]}


def _count(client: Client, database: str, view: str) -> int | None:
    try:
        answer = client.query(
            "SELECT count() FROM {database:Identifier}.{view:Identifier}",
            parameters={"database": database, "view": view},
            settings=_COUNT_BUDGET,
        )
    except DatabaseError:
        return None
    return int(answer.result_rows[0][0])
