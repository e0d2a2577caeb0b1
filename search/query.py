"""Finds events in raw.events, newest first, in windows that widen until there are enough.

The rows of a merged part lie by type and user, so ClickHouse cannot read them newest first. What is frequent is
found in the first narrow window; what is rare is found by the index, which leaves few granules of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors, server_code
from contracts.errors import MillraceError, Permanent, UserError
from contracts.event import RAW_COLUMNS
from contracts.names import RAW_EVENTS, ROLE_DASHBOARD
from search.fields import find
from search.filters import Term, Value, microseconds

_WINDOWS: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))
_NOT_ALLOWED: Final = 497
_MISSING: Final = frozenset({60, 81})
_OVER_BUDGET: Final = frozenset({158, 159, 160, 307})
# Ingest takes no event that lies further ahead of its landing, unless the setting was raised and lowered again.
_LEAST_AHEAD: Final = timedelta(hours=24)
_ORDER: Final = "event_time DESC, kafka_topic, kafka_partition, kafka_offset"

SECONDS: Final = 10
# What one query may take, so that a search that finds no index leaves ingest its memory and its cores.
BUDGET: Final[Mapping[str, int]] = {
    "max_execution_time": SECONDS,
    "max_memory_usage": 500_000_000,
    "max_threads": 2,
    # The wide columns are read for the rows that are shown, not for those that are compared.
    "query_plan_max_limit_for_lazy_materialization": 200_000,
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Search:
    """What to look for.

    Args:
        terms: that must hold.
        since: the earliest event time; None for all there is.
        limit: at most so many events.
        columns: to read: columns of raw.events and `properties.KEY`.
        duplicates: show each row, also where a client sent an event again.
    """

    terms: tuple[Term, ...] = ()
    since: datetime | None = None
    limit: int = 100
    columns: tuple[str, ...] = RAW_COLUMNS
    duplicates: bool = False


@dataclass
class Events:
    """Searches raw.events.

    Args:
        client: returns a connected client.
        ahead: how far an event time may lie after its landing (INGEST_MAX_AHEAD_HOURS).
        read_rows: counts what the queries read, for those who measure.
    """

    client: Callable[[], Client]
    ahead: timedelta = _LEAST_AHEAD
    read_rows: int = field(default=0, init=False)

    def find(self, search: Search, now: datetime) -> list[Row]:
        """Return the newest events that match, newest first, each with the search's columns.

        Raises:
            UserError: the search needs more than its budget of time or rows.
            RetryLater: ClickHouse is away or busy.
            Permanent: ClickHouse refuses.
        """
        rows: list[Row] = []
        for since in self._windows(search, now):
            rows = self._window(search, since)
            if len(rows) >= search.limit:
                break
        return rows

    def _windows(self, search: Search, now: datetime) -> Iterator[datetime | None]:
        starts = [now - window for window in _WINDOWS]
        yield from (start for start in starts if search.since is None or start > search.since)
        yield search.since

    def _window(self, search: Search, since: datetime | None) -> list[Row]:
        wanted = search.limit if search.duplicates else search.limit + search.limit // 10 + 10
        while True:
            rows = self._rows(search, since, wanted)
            shown = rows if search.duplicates else _once(rows)
            if len(shown) >= search.limit or len(rows) < wanted:
                return [_without_id(row) for row in shown[: search.limit]]
            wanted *= 2

    def _rows(self, search: Search, since: datetime | None, limit: int) -> list[Row]:
        query, parameters = statement(search, since, max(self.ahead, _LEAST_AHEAD), limit)
        with understood_errors():
            result = self.client().query(query, parameters=parameters, settings=dict(BUDGET))
        self.read_rows += int(result.summary.get("read_rows", 0))
        names = ["", *search.columns]
        return [dict(zip(names, row, strict=True)) for row in result.result_rows]


def statement(search: Search, since: datetime | None, ahead: timedelta, limit: int) -> tuple[str, dict[str, Value]]:
    """Return the query of one window and its parameters. Nothing that a user wrote is part of the text."""
    tests: list[str] = []
    words: list[str] = []
    parameters: dict[str, Value] = {}
    if since is not None:
        # What happened since then cannot have landed much earlier: this leaves out whole days and parts.
        tests += [
            "event_time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')",
            "ingested_at >= fromUnixTimestamp64Micro({landed:Int64}, 'UTC')",
        ]
        parameters |= {"since": microseconds(since), "landed": microseconds(since - ahead)}
    for number, term in enumerate(search.terms):
        exact, indexed, bound = term.where(f"t{number}")
        tests += exact
        words += indexed
        parameters |= bound
    columns, bound_columns = _columns(search.columns)
    parameters |= bound_columns
    # PREWHERE comes first: words cost much to make anew, and are wanted of the index more than of the rows.
    where = (f"PREWHERE {' AND '.join(tests)} " if tests else "") + (f"WHERE {' AND '.join(words)} " if words else "")
    query = f"SELECT event_id, {columns} FROM {RAW_EVENTS} {where}ORDER BY {_ORDER} LIMIT {limit:d}"  # noqa: S608
    return query, parameters


def _columns(names: Sequence[str]) -> tuple[str, dict[str, str]]:
    parts: list[str] = []
    parameters: dict[str, str] = {}
    for number, name in enumerate(names):
        sql, bound = find(name).sql(f"c{number}")
        parts.append(f"{sql} AS c{number}")
        parameters |= bound
    return ", ".join(parts), parameters


def _once(rows: Sequence[Row]) -> list[Row]:
    """Return the first row of each event."""
    return list({row[""]: row for row in reversed(rows)}.values())[::-1]


def _without_id(row: Row) -> Row:
    return {name: value for name, value in row.items() if name}


@contextmanager
def understood_errors() -> Iterator[None]:
    """Map ClickHouse's errors, and say how to mend those that a search meets.

    Raises:
        UserError, RetryLater, Permanent: see `Events.find`.
    """
    try:
        with mapped_errors():
            yield
    except MillraceError as error:
        code = server_code(error)
        if code in _OVER_BUDGET:
            raise UserError(
                f"the search was stopped at its limit of {SECONDS} seconds; say more with --where, or less with --last"
            ) from error
        if code in _MISSING:
            raise Permanent(f"a table is missing (has `millrace migrate` run?): {error}") from error
        if code == _NOT_ALLOWED:
            raise Permanent(
                f"this ClickHouse user may not read raw.events, but {ROLE_DASHBOARD} may: {error}"
            ) from error
        raise
