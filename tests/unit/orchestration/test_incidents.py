"""One incident is one stretch of trouble, and its message is due only when it would say something new."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from orchestration.alerts.incidents import (
    REOPEN_SECONDS,
    Incident,
    Observation,
    fold,
    from_json,
    kept,
    posted,
    to_json,
)


def seen(at: float, *items: str, failing: bool = True, subject: str = "check:x") -> Observation:
    return Observation(subject, "check", "x on y", at, failing, items=items)


def passing(at: float) -> Observation:
    return seen(at, failing=False)


def told(incidents: list[Incident]) -> list[Incident]:
    return [posted(one, "C", one.ts or "1.0") for one in incidents]


def test_a_pass_without_trouble_before_opens_nothing() -> None:
    assert fold([], passing(1)) == []


def test_a_check_that_keeps_failing_is_one_incident_told_once() -> None:
    incidents = told(fold([], seen(1, "i1")))
    for at in range(2, 50):
        incidents = fold(incidents, seen(at, "i1"))
    assert [(one.count, one.is_due) for one in incidents] == [(49, False)]


def test_another_offending_item_is_news() -> None:
    (incident,) = fold(told(fold([], seen(1, "i1"))), seen(2, "i1", "i2"))
    assert incident.is_due
    assert incident.new_items == ("i2",)


def test_an_item_that_left_and_came_back_is_no_news() -> None:
    incidents = told(fold([], seen(1, "i1", "i2")))
    incidents = fold(fold(incidents, seen(2, "i1")), seen(3, "i1", "i2"))
    assert not incidents[0].is_due


def test_recovery_is_news_and_is_told_once() -> None:
    incidents = fold(told(fold([], seen(1))), passing(2))
    assert (incidents[0].state, incidents[0].is_due) == ("resolved", True)
    assert not fold(told(incidents), passing(3))[0].is_due


def test_failing_again_soon_opens_the_same_incident_again() -> None:
    incidents = told(fold(told(fold([], seen(1))), passing(2)))
    (incident,) = fold(incidents, seen(2 + REOPEN_SECONDS - 1))
    assert (incident.state, incident.ts, incident.is_due) == ("open", "1.0", True)


def test_failing_again_much_later_is_a_new_incident() -> None:
    incidents = told(fold(told(fold([], seen(1))), passing(2)))
    assert len(fold(incidents, seen(2 + REOPEN_SECONDS))) == 2


def test_trouble_that_passed_before_it_could_be_told_is_still_told() -> None:
    (incident,) = kept(fold(fold([], seen(1)), passing(2)), now=1e9)
    assert incident.is_due


def test_what_is_told_and_long_over_is_forgotten() -> None:
    assert kept(told(fold(fold([], seen(1)), passing(2))), now=2 + REOPEN_SECONDS) == []


def test_subjects_do_not_mix() -> None:
    incidents = fold(fold([], seen(1, subject="a")), seen(2, subject="b"))
    assert [one.last.subject for one in incidents] == ["a", "b"]


@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("abc"))), max_size=20))
def test_an_incident_survives_the_cursor(history: list[tuple[bool, set[str]]]) -> None:
    steps = [seen(at, *sorted(items), failing=bad) for at, (bad, items) in enumerate(history)]
    incidents = reduce(fold, steps, [])
    assert [from_json(to_json(one)) for one in incidents] == incidents
