from __future__ import annotations

import asyncio
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from markupsafe import Markup

from contracts.errors import Permanent, RetryLater, UserError
from dashboard import panel as panel_module
from dashboard.database import Answer, NotThere, TooMuch
from dashboard.filters import Filters
from dashboard.panel import Panel, Shown, show

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PANEL = Panel("top", "Top", "users_top", lambda _, answers: Markup("<p>{}</p>").format(len(answers["users_top"].rows)))


class Asked:
    """A database that gives prepared answers: rows, an error, or nothing at all (None)."""

    def __init__(self, rows: Any, marts_as_of: datetime | None = NOW) -> None:
        self.rows, self.fresh = rows, ({"marts": marts_as_of},)

    def ask(self, question: Any, _: Any) -> Future[Answer]:
        found: Any = self.fresh if question.name == "freshness" else self.rows
        future: Future[Answer] = Future()
        if isinstance(found, Exception):
            future.set_exception(found)
        elif found is not None:
            future.set_result(Answer(("n",), found, NOW))
        return future


def shown(database: Asked, panel: Panel = PANEL) -> Shown:
    return asyncio.run(show(panel, Filters({}, NOW), database))  # type: ignore[arg-type] # stands in for the real one


def test_rows_are_drawn_and_no_rows_are_said() -> None:
    assert shown(Asked(({"n": 1}, {"n": 2}))).body == "<p>2</p>"
    empty = shown(Asked(()))
    assert (empty.state, str(empty.body)) == ("empty", f"<p>{PANEL.empty}</p>")


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (NotThere("code 60"), "empty", "Not built yet"),
        (TooMuch("code 159"), "error", "shorter time"),
        (RetryLater("refused"), "error", "tries again by itself"),
        (Permanent("<b>code 497</b>"), "error", "&lt;b&gt;code 497"),
        (UserError("there is no field 'x'"), "empty", "no field"),
    ],
)
def test_what_goes_wrong_is_a_sentence_in_its_place(error: Exception, state: str, words: str) -> None:
    found = shown(Asked(error))
    assert found.state == state
    assert words in found.body
    assert found.is_away == isinstance(error, RetryLater)


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        shown(Asked(ZeroDivisionError()))


def test_a_panel_is_as_old_as_its_answer_and_never_newer_than_it_was_asked() -> None:
    hour = timedelta(hours=1)
    assert shown(Asked(({"n": 1},), NOW - hour)).as_of == NOW - hour
    assert shown(Asked(({"n": 1},), NOW + hour)).as_of == NOW
    assert shown(Asked(({"n": 1},), None)).as_of is None


def test_nobody_waits_for_ever_for_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel_module, "_PATIENCE_SECONDS", 0.01)
    assert shown(Asked(None)).is_away
