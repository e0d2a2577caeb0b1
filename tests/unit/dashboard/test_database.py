"""The lines in which questions wait."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from contracts.clock import ManualClock
from contracts.settings import Settings
from dashboard.database import Database
from dashboard.questions import Question
from tests.patience import WAIT_SECONDS


class Server:
    """Answers at once, but for what is slow: that waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def query(self, sql: str, **_: Any) -> SimpleNamespace:
        assert sql != "slow" or self.go.wait(WAIT_SECONDS)
        return SimpleNamespace(column_names=["one"], result_rows=[(1,)])


class Known(Database):
    """A database whose client is given."""

    server = Server()

    def client(self) -> Any:
        return self.server


def question(name: str, sql: str, *, is_slow: bool) -> Question:
    return Question(name, "One.", sql, frozenset(), keep_seconds=1, is_slow=is_slow)


def test_a_quick_question_does_not_stand_in_line_behind_slow_ones() -> None:
    database = Known(Settings(_env_file=None), ManualClock())
    slow = [database.ask(question(f"slow-{number}", "slow", is_slow=True), {}) for number in range(20)]
    assert database.ask(question("quick", "quick", is_slow=False), {}).result(WAIT_SECONDS).rows == ({"one": 1},)
    assert not any(each.done() for each in slow)
    database.server.go.set()
    assert all(each.result(WAIT_SECONDS).rows for each in slow)
    database.close()
