"""One incident is one stretch of trouble, and people are told only what is worth saying."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestration.alerts.incidents import Action, Change, Incident, Observation
from orchestration.alerts.lifecycle import Policy, act, escalate, fold
from tests.alert_tools import NOON, passing, seen

POLICY = Policy()
REOPEN = POLICY.reopen_within.total_seconds()


def after(*observations: Observation, start: Incident | None = None) -> tuple[Incident, list[Change]]:
    current, changes = start, []
    for one in observations:
        step = fold(current, one, POLICY)
        current = step.incident
        changes += step.changes
    assert current is not None
    return current, changes


def kinds(changes: list[Change] | tuple[Change, ...]) -> list[str]:
    return [change.kind for change in changes]


def done(action: str, incident: Incident, note: str = "", name: str = "a1") -> Action:
    return Action(name, incident.fingerprint, action, "ann", NOON + timedelta(seconds=30), note)


def test_a_pass_without_trouble_before_opens_nothing() -> None:
    assert fold(None, passing(1), POLICY).incident is None


def test_a_check_that_keeps_failing_is_one_incident_told_once() -> None:
    incident, changes = after(*(seen(at, "i1") for at in range(50)))
    assert (incident.count, incident.state, kinds(changes)) == (50, "open", ["open"])


def test_the_messages_figures_are_renewed_now_and_then_and_quietly() -> None:
    incident, changes = after(*(seen(at, "i1") for at in range(0, 900, 10)))
    assert kinds(changes) == ["open", "update", "update"]
    assert changes[-1].incident.count > 50
    assert incident.count == 90


def test_another_offending_item_is_worth_a_note_and_one_that_came_back_is_not() -> None:
    _, changes = after(seen(1, "i1"), seen(2, "i1", "i2"), seen(3, "i1"), seen(4, "i2"))
    assert kinds(changes) == ["open", "update", "note"]
    assert "Also now: i2." in changes[-1].text


def test_a_warning_that_becomes_an_error_is_worth_a_note() -> None:
    _, changes = after(seen(1, severity="warning"), seen(2, severity="error"))
    assert kinds(changes) == ["open", "update", "note"]


def test_recovery_resolves_once_and_says_how_long_it_lasted() -> None:
    incident, changes = after(seen(1), passing(61), passing(62))
    assert kinds(changes) == ["open", "resolve"]
    assert incident.resolved_at is not None
    assert (incident.resolved_at - incident.first_seen).total_seconds() == 60


def test_failing_again_soon_goes_on_with_the_same_incident() -> None:
    incident, changes = after(seen(1), passing(2), seen(2 + REOPEN - 1))
    assert (incident.state, incident.reopened, incident.resolved_at) == ("open", 1, None)
    assert kinds(changes) == ["open", "resolve", "update", "note"]
    assert "Failing again" in changes[-1].text


def test_failing_again_much_later_is_another_incident() -> None:
    first, _ = after(seen(1))
    later, changes = after(passing(2), seen(2 + REOPEN), start=first)
    assert later.fingerprint != first.fingerprint
    assert kinds(changes) == ["resolve", "open"]


def test_acknowledged_it_stays_so_through_flapping_and_nobody_is_called() -> None:
    incident, _ = after(seen(1))
    step = act(incident, done("ack", incident))
    assert step.incident is not None
    assert (step.incident.state, step.incident.acknowledged_by, kinds(step.changes)) == (
        "acknowledged",
        "ann",
        ["update"],
    )
    flapped, _ = after(passing(40), seen(50), start=step.incident)
    assert flapped.state == "acknowledged"
    assert escalate(flapped, NOON + timedelta(hours=9), POLICY).changes == ()


def test_unacknowledged_for_too_long_its_owner_is_called_once() -> None:
    incident, _ = after(seen(0))
    assert escalate(incident, NOON + timedelta(minutes=29), POLICY).changes == ()
    step = escalate(incident, NOON + timedelta(minutes=30), POLICY)
    assert [(change.kind, change.calls) for change in step.changes] == [("update", False), ("note", True)]
    assert step.incident is not None
    assert escalate(step.incident, NOON + timedelta(hours=5), POLICY).changes == ()


def test_a_person_resolves_it_and_a_failure_afterwards_opens_it_again() -> None:
    incident, _ = after(seen(1))
    step = act(incident, done("resolve", incident, "deployed a fix"))
    assert step.incident is not None
    assert (step.incident.state, step.incident.resolved_by) == ("resolved", "ann")
    assert kinds(step.changes) == ["resolve", "note"]
    again, _ = after(seen(31), start=step.incident)
    assert (again.state, again.reopened) == ("open", 1)


def test_what_an_upstream_check_explains_is_told_to_nobody_until_it_explains_it_no_more() -> None:
    incident, changes = after(seen(1, held_back="lag"), seen(2, held_back="lag"))
    assert (changes, incident.held_back, incident.state) == ([], "lag", "open")
    _, changes = after(seen(3), start=incident)
    assert kinds(changes) == ["open"]
    _, changes = after(passing(3), start=incident)
    assert changes == []


def test_an_action_and_an_observation_count_once_however_often_they_are_folded_in() -> None:
    observations = [seen(1, "i1"), seen(2, "i1", "i2"), passing(3), seen(4, "i3")]
    incident, _ = after(*observations)
    again, changes = after(*observations, start=incident)
    assert (again, changes) == (incident, [])
    acked = act(incident, done("ack", incident)).incident
    assert acked is not None
    assert act(acked, done("ack", incident)).incident == acked


@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("abc"))), max_size=20), st.integers(0, 20))
def test_beginning_again_anywhere_gives_the_same_incident_and_the_same_changes(
    history: list[tuple[bool, set[str]]], cut: int
) -> None:
    """A repeat after a crash must write the same ids: a change of its own would be a second message."""
    steps = [seen(at, *sorted(items), failing=bad) for at, (bad, items) in enumerate(history)]
    whole, keys, current = None, [], None
    for one in steps:
        step = fold(whole, one, POLICY)
        whole, keys = step.incident, keys + [(change.kind, change.key) for change in step.changes]
    for one in steps[:cut]:
        current = fold(current, one, POLICY).incident
    repeated = []
    for one in steps:
        step = fold(current, one, POLICY)
        current, repeated = step.incident, repeated + [(change.kind, change.key) for change in step.changes]
    assert current == whole
    assert set(repeated) <= set(keys)


def test_an_incident_is_named_after_its_subject_and_its_beginning() -> None:
    first, _ = after(seen(1))
    other, _ = after(seen(1, subject="check:y"))
    assert first.fingerprint != other.fingerprint
    assert first.fingerprint == after(replace(seen(1), summary="other words"))[0].fingerprint
