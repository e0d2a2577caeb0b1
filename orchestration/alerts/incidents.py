"""What was observed and what is wrong: plain records, and how an incident is named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["check", "run", "sensor"]
Severity: TypeAlias = Literal["warning", "error"]
State: TypeAlias = Literal["open", "acknowledged", "resolved"]
ChangeKind: TypeAlias = Literal["open", "update", "note", "resolve"]


@dataclass(frozen=True)
class Observation:
    """One evaluation of a check, one end of a run, or one look at a sensor.

    Args:
        subject: what it is about, the same in every observation of it.
        kind: check, run or sensor.
        title: the subject for a person.
        at: when, in UTC to the microsecond. Of one subject, what is not newer than the newest was folded in before.
        failing: whether something is wrong.
        severity: how bad a failure is.
        group: which question it answers (complete, fresh, remarkable, runs, …), for the rules.
        owner: who looks after it, as Dagster knows it, without `team:`; or ''.
        summary: one or two sentences.
        items: the things at fault, by name; a new one is news while the rest is not.
        values: what the verdict rests on, as plain data: observed, expected, ratio, table, chart, runbook, …
        held_back: what explains the failure upstream, or ''; then nobody is told of it.
        path: of the Dagster page about it, such as `/runs/…`.

    """

    subject: str
    kind: Kind
    title: str
    at: datetime
    failing: bool
    severity: Severity = "error"
    group: str = ""
    owner: str = ""
    summary: str = ""
    items: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    held_back: str = ""
    path: str = ""


@dataclass(frozen=True)
class Incident:
    """One stretch of trouble of one subject; a row of ops.incidents, whose columns are these fields.

    Args:
        fingerprint: names the stretch; follows from the subject and the first failure.
        subject, kind, group_name, owner, severity, title, summary, values, path: of the failing observation that
            says most: the latest.
        state: open; acknowledged: somebody looks after it; resolved.
        first_seen, last_seen: the first and the latest failing observation.
        evaluated_at: the newest observation that is folded in.
        count: failing observations so far.
        reopened: how often it failed again soon after it was resolved.
        escalated: whether its owner was called because nobody acknowledged it.
        announced: whether people were told.
        held_back: why they were not, or ''.
        items: every thing at fault so far, in order of appearance.
        channel, ts: where its message stands in Slack; empty until it is posted.
        applied: ids of the actions that are folded in.
        revision: number of changes worth saying so far.
        refreshed_at: when the message's content was last renewed.
        version: number of times the row was written.

    """

    fingerprint: str
    subject: str
    kind: str
    group_name: str
    owner: str
    severity: str
    title: str
    summary: str
    state: str
    first_seen: datetime
    last_seen: datetime
    evaluated_at: datetime
    refreshed_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    count: int = 1
    reopened: int = 0
    escalated: bool = False
    announced: bool = False
    held_back: str = ""
    items: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    channel: str = ""
    ts: str = ""
    applied: tuple[str, ...] = ()
    revision: int = 0
    version: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the trouble has ended."""
        return self.resolved_at is not None


@dataclass(frozen=True)
class Action:
    """What a person did about an incident: a row of ops.incident_actions."""

    id: str
    fingerprint: str
    action: str
    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True)
class Change:
    """Something worth saying about an incident.

    Args:
        kind: open, update or resolve bring the message up to date; note adds to its thread.
        incident: as it is after the change.
        key: tells this change from all others of the incident, the same in a repeat.
        text: what a note says.
        calls: whether a note calls the owner.

    """

    kind: ChangeKind
    incident: Incident
    key: str
    text: str = ""
    calls: bool = False


def fingerprint(subject: str, first_seen: datetime) -> str:
    """Return the name of the stretch of trouble of `subject` that began then: 12 hexadecimal digits."""
    return digest(subject, first_seen.isoformat())[:12]


def digest(*parts: str) -> str:
    """Return a name that follows from `parts`: 24 hexadecimal digits."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]
