"""The one way to ClickHouse: few questions at a time, each with a limit, each asked once for everybody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect, mapped_errors, server_code
from contracts.clock import Clock
from contracts.errors import MillraceError, RetryLater
from contracts.settings import Settings
from dashboard.kept import Kept
from dashboard.questions import Question

# What one question may take. The role has limits of its own (sql/grants.py), which nobody can raise.
BUDGET: Final[Mapping[str, object]] = {
    "max_execution_time": 10,
    "max_memory_usage": 500_000_000,
    "max_threads": 2,
    # Each model that FINAL reads is partitioned by a part of its key: no row has a newer one in another partition.
    "do_not_merge_across_partitions_select_final": 1,
}
_AT_ONCE: Final = 4
# Questions that read a whole history have a line of their own and give way to all others at the processors.
_SLOW_AT_ONCE: Final = 2
_SLOW_BUDGET: Final[Mapping[str, object]] = {**BUDGET, "os_thread_priority": 10}
_FAILURE_SECONDS: Final = 1.0
_MISSING: Final = frozenset({60, 81})
_TOO_MUCH: Final = frozenset({158, 159, 160, 241, 307, 396})
_BLOCK_BYTES: Final = 65_536


class NotThere(MillraceError):
    """A table of the question does not exist yet."""


class TooMuch(MillraceError):
    """The question needs more than its limit of time, rows or memory."""


@dataclass(frozen=True)
class Answer:
    """Rows by column name, and the moment (UTC) at which they were asked for."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    asked_at: datetime


class Database:
    """Asks questions.

    Args:
        settings: of the server and the read-only user.
        clock: for the age of what is kept.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._answers: Kept[Answer] = Kept(clock, _AT_ONCE)
        self._slow: Kept[Answer] = Kept(clock, _SLOW_AT_ONCE)
        self._connecting = threading.Lock()
        self._client: Client | None = None
        self._refused: tuple[float, MillraceError] | None = None

    def ask(self, question: Question, values: Mapping[str, object]) -> Future[Answer]:
        """Return the answer as it comes.

        The future raises RetryLater (ClickHouse is away or busy), NotThere, TooMuch or Permanent.
        """
        chosen = question.choose(values)

        def work() -> Answer:
            asked_at = self._clock.now()
            result = self.run(lambda client: client.query(question.sql, parameters=chosen, settings=_limits(question)))
            columns = tuple(result.column_names)
            rows = tuple(dict(zip(columns, row, strict=True)) for row in result.result_rows)
            return Answer(columns, rows, asked_at)

        line = self._slow if question.is_slow else self._answers
        return line.get((question.name, *chosen.items()), question.keeps(values), work)

    def keep(self, key: tuple[object, ...], keep_seconds: float, work: Callable[[], Answer]) -> Future[Answer]:
        """Return what `work` answers, in line with the questions and kept as they are."""
        return self._answers.get(key, keep_seconds, work)

    def stream(self, question: Question, values: Mapping[str, object], form: str) -> Iterator[bytes]:
        """Return the answer in one of ClickHouse's formats, block by block as the server makes it.

        Raises:
            RetryLater, Permanent, NotThere, TooMuch: the question is refused or cannot be asked.
        """
        chosen = question.choose(values)
        source = self.run(
            lambda client: client.raw_stream(question.sql, parameters=chosen, settings=_limits(question), fmt=form)
        )
        return iter(lambda: source.read(_BLOCK_BYTES), b"")

    def run(self, work: Callable[[Client], Any]) -> Any:
        """Return what `work` does with a connected client, which threads share.

        Raises:
            RetryLater: ClickHouse is away or busy; the next call connects anew.
            Permanent, NotThere, TooMuch: it refuses.
        """
        try:
            with understood_errors():
                return work(self.client())
        except RetryLater:
            with self._connecting:
                self._client = None
            raise

    def client(self) -> Client:
        """Return a connected client.

        Raises:
            RetryLater, Permanent: see `contracts.clickhouse.connect`.
        """
        with self._connecting:
            if self._client is None:
                if self._refused and self._clock.monotonic() - self._refused[0] < _FAILURE_SECONDS:
                    raise self._refused[1]
                try:
                    client = connect(self.settings, send_receive_timeout=12, query_limit=0, tz_mode="aware")
                    # Whoever CLICKHOUSE_USER is: nothing that is asked here may write.
                    client.set_client_setting("readonly", 2)
                    self._client = client
                except MillraceError as error:
                    self._refused = (self._clock.monotonic(), error)
                    raise
            return self._client

    def close(self) -> None:
        """Ask nothing more."""
        self._answers.close()
        self._slow.close()


@contextmanager
def understood_errors() -> Iterator[None]:
    """Map ClickHouse's errors to those that a page has words for.

    Raises:
        RetryLater, Permanent, NotThere, TooMuch: see `Database.ask`.
    """
    try:
        with mapped_errors():
            yield
    except MillraceError as error:
        code = server_code(error)
        if code in _MISSING:
            raise NotThere(str(error)) from error
        if code in _TOO_MUCH:
            raise TooMuch(str(error)) from error
        raise


def _limits(question: Question) -> dict[str, Any]:
    return {**(_SLOW_BUDGET if question.is_slow else BUDGET), "log_comment": f"dashboard:{question.name}"}
