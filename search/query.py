"""Finds events in raw.events, newest first, in slices of time that widen until there are enough.

The rows of a merged part lie by type and user, so ClickHouse cannot read them newest first. What is frequent is
found in the first narrow slice; what is rare is found by the index, which leaves few granules of all. What lies
between is cheap by neither: how wide the next slice is follows from how many the ones before held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors, server_code
from contracts.errors import MillraceError, Permanent, UserError
from contracts.event import RAW_COLUMNS
from contracts.names import RAW_EVENTS, ROLE_DASHBOARD
from search.fields import find
from search.filters import Term, Value, microseconds

_FIRST_SLICE: Final = timedelta(hours=1)
# What reaches further back than this takes all the rest in one slice.
_LONGEST: Final = timedelta(days=30)
_LEAST_GROWTH, _MOST_GROWTH = 2.0, 24.0
# A little wider than what the density so far asks for, so that the slice after it is seldom needed.
_MARGIN: Final = 1.2
# A UUIDv7 says when it was made; the event may have happened a little before or after by the client's clock.
_AROUND_ID: Final = timedelta(hours=1)
_LANDED_SOON: Final = timedelta(days=1)
_UUID_OF_TIME: Final = 7
# 2200 in milliseconds: an id with a later one was not made by a clock.
_LAST_TIME: Final = 7_258_118_400_000
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

    @property
    def one_event(self) -> UUID | None:
        """The id of the only event that can match, where the terms name one."""
        ids = [term.value for term in self.terms if term.field.name == "event_id" and term.operator == "="]
        return UUID(str(ids[0])) if ids else None


class Slice(NamedTuple):
    """A stretch of event time, from and before, and before when it landed; None is without an end."""

    since: datetime | None = None
    until: datetime | None = None
    landed: datetime | None = None


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
        limit = 1 if not search.duplicates and search.one_event else search.limit
        rows = self._around_id(search, limit)
        width, until = _FIRST_SLICE, None
        while len(rows) < limit:
            since: datetime | None = now - width
            is_last = width > _LONGEST or (search.since is not None and now - width <= search.since)
            since = search.since if is_last else since
            rows += self._slice(search, Slice(since, until), limit - len(rows))
            rows = rows if search.duplicates else _once(rows)
            if is_last:
                break
            width *= _growth(len(rows), limit)
            until = since
        return [_without_id(row) for row in rows]

    def _around_id(self, search: Search, limit: int) -> list[Row]:
        made = search.one_event and not search.duplicates and _made_at(search.one_event)
        if not made or (search.since and made < search.since):
            return []
        # One that landed later than that is found by the slices that follow.
        return self._slice(search, Slice(made - _AROUND_ID, made + _AROUND_ID, made + _LANDED_SOON), limit)

    def _slice(self, search: Search, part: Slice, limit: int) -> list[Row]:
        wanted = limit if search.duplicates else limit + limit // 10 + 10
        while True:
            rows = self._rows(search, part, wanted)
            shown = rows if search.duplicates else _once(rows)
            if len(shown) >= limit or len(rows) < wanted:
                return shown[:limit]
            wanted *= 2

    def _rows(self, search: Search, part: Slice, limit: int) -> list[Row]:
        query, parameters = statement(search, part, max(self.ahead, _LEAST_AHEAD), limit)
        with understood_errors():
            result = self.client().query(query, parameters=parameters, settings=dict(BUDGET))
        self.read_rows += int(result.summary.get("read_rows", 0))
        names = ["", *search.columns]
        return [dict(zip(names, row, strict=True)) for row in result.result_rows]


def statement(search: Search, part: Slice, ahead: timedelta, limit: int) -> tuple[str, dict[str, Value]]:
    """Return the query of one slice and its parameters. Nothing that a user wrote is part of the text."""
    tests: list[str] = []
    words: list[str] = []
    parameters: dict[str, Value] = {}
    if part.since is not None:
        # What happened since then cannot have landed much earlier: this leaves out whole days and parts.
        tests += [
            "event_time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')",
            "ingested_at >= fromUnixTimestamp64Micro({landed:Int64}, 'UTC')",
        ]
        parameters |= {"since": microseconds(part.since), "landed": microseconds(part.since - ahead)}
    if part.until is not None:
        tests.append("event_time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')")
        parameters["until"] = microseconds(part.until)
    if part.landed is not None:
        tests.append("ingested_at < fromUnixTimestamp64Micro({landed_until:Int64}, 'UTC')")
        parameters["landed_until"] = microseconds(part.landed)
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


def _growth(found: int, limit: int) -> float:
    """Return how many times as wide all slices together become with the next one."""
    if not found:
        return _MOST_GROWTH
    return min(max(_MARGIN * limit / found, _LEAST_GROWTH), _MOST_GROWTH)


def _made_at(event_id: UUID) -> datetime | None:
    """Return the time in a UUIDv7 (RFC 9562, 5.7): its first 48 bits are milliseconds since 1970."""
    milliseconds = event_id.int >> 80
    is_of_time = event_id.version == _UUID_OF_TIME and milliseconds < _LAST_TIME
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds) if is_of_time else None


def _columns(names: Sequence[str]) -> tuple[str, dict[str, str]]:
    parts: list[str] = []
    parameters: dict[str, str] = {}
    for number, name in enumerate(names):
        sql, bound = find(name).sql(f"c{number}")
        parts.append(f"{sql} AS c{number}")
        parameters |= bound
    return ", ".join(parts), parameters


def _once(rows: Iterable[Row]) -> list[Row]:
    """Return the first row of each event."""
    shown: dict[Any, Row] = {}
    for row in rows:
        shown.setdefault(row[""], row)
    return list(shown.values())


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
