from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from contracts.clock import ManualClock
from dashboard.kept import Kept
from tests.patience import WAIT_SECONDS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def kept(clock: ManualClock) -> Iterator[Kept[int]]:
    kept: Kept[int] = Kept(clock, at_once=2)
    yield kept
    kept.close()


class Counter:
    """Answers 1, 2, 3, …; from `hold` on only when it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self) -> int:
        self.asked += 1
        answer = self.asked
        assert self.go.wait(WAIT_SECONDS)
        return answer


def test_the_same_question_asked_by_many_at_once_is_one(kept: Kept[int]) -> None:
    work = Counter()
    work.go.clear()
    futures = [kept.get("a", 1, work) for _ in range(10)]
    work.go.set()
    assert {future.result(WAIT_SECONDS) for future in futures} == {1}


def test_an_answer_serves_until_it_is_too_old(kept: Kept[int], clock: ManualClock) -> None:
    work = Counter()
    assert kept.get("a", 1, work).result(WAIT_SECONDS) == 1
    clock.sleep(1)
    assert kept.get("a", 1, work).result(WAIT_SECONDS) == 1
    clock.sleep(0.1)
    assert kept.get("a", 1, work).result(WAIT_SECONDS) == 2


def test_an_answer_that_keeps_long_is_shown_while_the_next_is_on_its_way(kept: Kept[int], clock: ManualClock) -> None:
    work = Counter()
    assert kept.get("a", 5, work).result(WAIT_SECONDS) == 1
    clock.sleep(6)
    work.go.clear()
    assert kept.get("a", 5, work).result(WAIT_SECONDS) == 1
    clock.sleep(100)
    late = kept.get("a", 5, work)
    assert not late.done()
    work.go.set()
    assert late.result(WAIT_SECONDS) == 2


def test_an_answer_that_keeps_for_a_minute_is_shown_less_than_two(kept: Kept[int], clock: ManualClock) -> None:
    work = Counter()
    assert kept.get("a", 60, work).result(WAIT_SECONDS) == 1
    clock.sleep(101)
    work.go.clear()
    late = kept.get("a", 60, work)
    assert not late.done()
    work.go.set()
    assert late.result(WAIT_SECONDS) == 2


def test_a_failure_is_forgotten_soon(kept: Kept[int], clock: ManualClock) -> None:
    def fail() -> int:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - ours
        kept.get("a", 60, fail).result(WAIT_SECONDS)
    with pytest.raises(ValueError):  # noqa: PT011 - the same failure, not asked again
        kept.get("a", 60, Counter()).result(WAIT_SECONDS)
    clock.sleep(1.1)
    assert kept.get("a", 60, Counter()).result(WAIT_SECONDS) == 1
