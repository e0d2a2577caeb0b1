"""The sensor of closed days asks for the oldest that waits, sets one that failed aside, then asks for retention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from archive.days import DayState
from archive.write import Archived
from orchestration.assets.archive import verdict
from orchestration.sensors.closed_days import RETRY_SECONDS, decide

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def day(number: int, state: str) -> DayState:
    return DayState(date(2026, 3, number), 10, 0, 10, 100, state)


def asked(days: list[DayState], before: dict[str, float] | None = None, retention: int = 0) -> str:
    result = decide(days, before or {}, NOW, retention)
    if isinstance(result, dg.SkipReason):
        return str(result.skip_message)
    (request,) = result.run_requests or []
    return f"{request.job_name} {request.partition_key}"


def test_the_oldest_day_that_waits_or_changed_comes_first() -> None:
    assert asked([day(1, "archived"), day(2, "changed"), day(3, "waiting")]) == "archive 2026-03-02"


def test_a_day_that_was_just_asked_for_lets_the_next_one_go_first() -> None:
    before = {"2026-03-02": NOW.timestamp() - 60}
    assert asked([day(2, "waiting"), day(3, "waiting")], before) == "archive 2026-03-03"
    assert "2026-03-02 failed" in asked([day(2, "waiting")], before)
    later = {"2026-03-02": (NOW - timedelta(seconds=RETRY_SECONDS)).timestamp()}
    assert asked([day(2, "waiting"), day(3, "waiting")], later) == "archive 2026-03-02"


def test_retention_is_asked_for_once_an_hour_when_a_day_is_old_enough_and_nothing_waits() -> None:
    days = [day(1, "dropped"), day(2, "archived")]
    assert asked(days, retention=17) == "retention None"
    assert asked(days, retention=18) == "All 2 closed days are archived."
    assert "All 2" in asked(days)
    assert "All 2" in asked(days, {"retention": NOW.timestamp() - 3000}, retention=17)


def test_days_before_the_first_partition_are_left_to_the_command_line() -> None:
    old = DayState(date(2025, 12, 31), 1, 0, 0, 0, "waiting")
    assert "All 1" in asked([old])


def test_the_check_fails_with_a_table_when_the_view_shows_other_rows_than_were_archived() -> None:

    done = [Archived("raw.events", date(2026, 3, 1), 10, 100, is_new=True)]
    result = verdict(done, {("raw.events", date(2026, 3, 1)): 9})
    assert not result.passed
    assert "| 2026-03-01 | raw.events | 10 | 9 |" in str(result.metadata["days"].value)
    assert verdict(done, {("raw.events", date(2026, 3, 1)): 10}).passed
