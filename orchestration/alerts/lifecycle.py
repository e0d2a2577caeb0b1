"""How an incident lives: opened, updated, acknowledged, resolved, opened again, escalated. Pure functions.

Each returns the incident as it is afterwards and the changes worth saying. Folding an observation or an action that
was folded in before changes nothing, so whoever was killed half-way simply begins again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from orchestration.alerts.incidents import Action, Change, ChangeKind, Incident, Observation, fingerprint

_RANK: Final = {"warning": 0, "error": 1}


@dataclass(frozen=True)
class Policy:
    """When things happen.

    Args:
        reopen_within: failing again this soon after it was resolved goes on with the same incident.
        refresh_every: a message's count and figures are renewed this often at most while nothing else changes.
        escalate_after: nobody acknowledged for so long: the owner is called. None: never.

    """

    reopen_within: timedelta = timedelta(minutes=10)
    refresh_every: timedelta = timedelta(minutes=5)
    escalate_after: timedelta | None = timedelta(minutes=30)


@dataclass(frozen=True)
class Step:
    """An incident after something happened, None while there is none, and what is worth saying about it."""

    incident: Incident | None
    changes: tuple[Change, ...] = ()


def fold(current: Incident | None, seen: Observation, policy: Policy) -> Step:
    """Return what `seen` makes of its subject's latest incident."""
    if current is not None and seen.at <= current.evaluated_at:
        return Step(current)
    if seen.failing:
        if current is None or _is_past(current, seen.at, policy):
            return _said(_opened(seen), "open", seen.at.isoformat())
        return _reopened(current, seen) if current.is_over else _continued(current, seen, policy)
    if current is None or current.is_over:
        return Step(current)
    over = replace(current, state="resolved", resolved_at=seen.at, evaluated_at=seen.at)
    return _said(over, "resolve", seen.at.isoformat())


def act(current: Incident, action: Action) -> Step:
    """Return what a person's action makes of an incident; one that makes no sense any more is only remembered."""
    if action.id in current.applied:
        return Step(current)
    known = replace(current, applied=(*current.applied, action.id))
    if action.action == "ack" and current.state == "open":
        mine = replace(known, state="acknowledged", acknowledged_at=action.at, acknowledged_by=action.by)
        return _said(mine, "update", action.id, _quoted(action))
    if action.action == "resolve" and not current.is_over:
        # A check that fails again opens it again; an observation of before must not.
        evaluated = max(action.at, current.evaluated_at)
        over = replace(known, state="resolved", resolved_at=action.at, resolved_by=action.by, evaluated_at=evaluated)
        return _said(over, "resolve", action.id, _quoted(action))
    if action.action == "note" and action.note:
        return _said(known, "update", action.id, _quoted(action))
    return Step(known)


def escalate(current: Incident, now: datetime, policy: Policy) -> Step:
    """Call the owner of an incident that nobody acknowledged in time, once."""
    waits = current.state == "open" and current.announced and not current.escalated
    if policy.escalate_after is None or not waits or now - current.first_seen < policy.escalate_after:
        return Step(current)
    minutes = int(policy.escalate_after.total_seconds() // 60)
    called = replace(current, escalated=True)
    return _said(called, "update", "escalated", f"Nobody has acknowledged this for {minutes} min.", calls=True)


def _is_past(current: Incident, at: datetime, policy: Policy) -> bool:
    return current.resolved_at is not None and at - current.resolved_at >= policy.reopen_within


def _opened(seen: Observation) -> Incident:
    blank = Incident(
        fingerprint=fingerprint(seen.subject, seen.at),
        subject=seen.subject,
        kind=seen.kind,
        group_name="",
        owner="",
        severity=seen.severity,
        title="",
        summary="",
        state="open",
        first_seen=seen.at,
        last_seen=seen.at,
        evaluated_at=seen.at,
        refreshed_at=seen.at,
        count=0,
    )
    return _with(blank, seen)


def _with(current: Incident, seen: Observation) -> Incident:
    """Return the incident with a failing observation counted; the latest says most about it."""
    return replace(
        current,
        group_name=seen.group,
        owner=seen.owner,
        severity=seen.severity,
        title=seen.title,
        summary=seen.summary,
        last_seen=seen.at,
        evaluated_at=seen.at,
        count=current.count + 1,
        held_back=seen.held_back,
        items=current.items + _news(current, seen),
        values=seen.values,
        path=seen.path,
    )


def _news(current: Incident, seen: Observation) -> tuple[str, ...]:
    known = set(current.items)
    return tuple(dict.fromkeys(item for item in seen.items if item not in known))


def _reopened(current: Incident, seen: Observation) -> Step:
    # Whoever looks after it still does: failing again within minutes is the same trouble.
    state = "acknowledged" if current.acknowledged_by else "open"
    again = replace(current, state=state, resolved_at=None, resolved_by="", reopened=current.reopened + 1)
    return _said(_with(again, seen), "update", seen.at.isoformat(), f"Failing again. {seen.summary}")


def _continued(current: Incident, seen: Observation, policy: Policy) -> Step:
    after, news = _with(current, seen), _news(current, seen)
    said = []
    if news:
        said.append(f"Also now: {', '.join(news)}.")
    if _RANK[seen.severity] > _RANK.get(current.severity, 0):
        said.append(f"Now an {seen.severity}.")
    if said:
        return _said(after, "update", seen.at.isoformat(), " ".join([*said, seen.summary]))
    is_explained = bool(after.held_back) != bool(current.held_back)
    if is_explained or not current.announced or seen.at - current.refreshed_at >= policy.refresh_every:
        return _said(after, "update", seen.at.isoformat())
    return Step(after)


def _said(after: Incident, kind: ChangeKind, key: str, note: str = "", *, calls: bool = False) -> Step:
    """Return the step in which people are told; not while it is held back and nobody knows of it yet."""
    if not after.announced:
        if after.held_back or after.is_over:
            return Step(after)
        kind, note = "open", ""
    at = max(after.evaluated_at, after.refreshed_at)
    told = replace(after, announced=True, revision=after.revision + 1, refreshed_at=at)
    changes = (Change(kind, told, key), *((Change("note", told, key, note, calls),) if note else ()))
    return Step(told, changes)


def _quoted(action: Action) -> str:
    return f"{action.by}: {action.note}" if action.note else ""
