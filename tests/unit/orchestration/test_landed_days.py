from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestration.assets.landed_days import Slice, slices

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def test_minutes_are_put_together_up_to_the_limit() -> None:
    minutes = [(at(0), 4), (at(1), 5), (at(7), 1), (at(8), 1)]
    assert slices(minutes, 10) == [Slice(at(0), at(8), 10), Slice(at(8), at(9), 1)]


def test_a_minute_above_the_limit_is_a_slice_of_its_own() -> None:
    assert slices([(at(0), 1), (at(1), 99), (at(2), 1)], 10) == [
        Slice(at(0), at(1), 1),
        Slice(at(1), at(2), 99),
        Slice(at(2), at(3), 1),
    ]


def test_a_day_on_which_nothing_landed_has_no_slices() -> None:
    assert slices([], 10) == []
