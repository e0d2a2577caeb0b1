"""What is wrong right now and what has been said about it: pure functions on plain records.

An incident is one stretch of trouble of one subject (a check, a job). Observations are folded into
incidents; `notices` says what has to be delivered so that the message shows what is true. Nothing here
knows Slack: a delivery that fails leaves the incident as it was, and the next tick tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal

# A subject that fails again this soon after it recovered was flapping: the same message turns red again.
REOPEN_SECONDS: Final = 600.0

Kind = Literal["check", "run"]
Severity = Literal["warning", "error"]
Fact = tuple[str, str]


@dataclass(frozen=True)
class Observation:
    """One evaluation of a check, or one end of a run.

    Args:
        subject: what it is about, the same in every observation of it.
        kind: check or run.
        title: the subject for a person.
        at: when, in epoch seconds.
        failing: whether something is wrong.
        severity: how bad a failure is.
        summary: one or two sentences.
        facts: label and value pairs that explain the verdict, in order.
        items: the things at fault, by name (offending items); a new one is news while the rest is not.
        table: a Markdown table of them, or ''.
        path: of the Dagster page about it, such as `/runs/…`.

    """

    subject: str
    kind: Kind
    title: str
    at: float
    failing: bool
    severity: Severity = "error"
    summary: str = ""
    facts: tuple[Fact, ...] = ()
    items: tuple[str, ...] = ()
    table: str = ""
    path: str = ""


@dataclass(frozen=True)
class Incident:
    """One stretch of trouble.

    Args:
        last: the observation that says most about it: the latest failing one.
        opened_at: first failure, in epoch seconds.
        resolved_at: first observation without failure, or None while it lasts.
        count: failing observations so far.
        items: every thing at fault so far, in order of appearance.
        channel, ts: the message's place in Slack; empty until it is posted.
        said: what the message shows (see `state_of`); empty until it is posted.
        said_items: number of `items` that were announced.

    """

    last: Observation
    opened_at: float
    resolved_at: float | None = None
    count: int = 1
    items: tuple[str, ...] = ()
    channel: str = ""
    ts: str = ""
    said: str = ""
    said_items: int = 0

    @property
    def state(self) -> str:
        """The word for it: open or resolved."""
        return "open" if self.resolved_at is None else "resolved"

    @property
    def new_items(self) -> tuple[str, ...]:
        """Things at fault that no message has named."""
        return self.items[self.said_items :]

    @property
    def is_due(self) -> bool:
        """Whether the message does not show the truth, or does not exist."""
        return self.said != self.state or bool(self.new_items)


def fold(incidents: Sequence[Incident], seen: Observation) -> list[Incident]:
    """Return the incidents after `seen`: opened, continued, resolved, or opened again."""
    index = _latest(incidents, seen)
    if index is None:
        return [*incidents, Incident(seen, seen.at, items=seen.items)] if seen.failing else list(incidents)
    current = incidents[index]
    if seen.failing:
        added = tuple(item for item in seen.items if item not in current.items)
        current = replace(current, last=seen, count=current.count + 1, resolved_at=None, items=current.items + added)
    elif current.resolved_at is None:
        current = replace(current, resolved_at=seen.at)
    return [*incidents[:index], current, *incidents[index + 1 :]]


def posted(incident: Incident, channel: str, ts: str) -> Incident:
    """Return the incident as it is once its message shows what is true now."""
    return replace(incident, channel=channel, ts=ts, said=incident.state, said_items=len(incident.items))


def kept(incidents: Sequence[Incident], now: float) -> list[Incident]:
    """Return the incidents that may still change or still wait for delivery."""
    return [one for one in incidents if one.is_due or one.resolved_at is None or now - one.resolved_at < REOPEN_SECONDS]


def _latest(incidents: Sequence[Incident], seen: Observation) -> int | None:
    """Return where the subject's incident stands: the open one, or one resolved shortly before."""
    for index in range(len(incidents) - 1, -1, -1):
        one = incidents[index]
        if one.last.subject == seen.subject:
            lasting = one.resolved_at is None or seen.at - one.resolved_at < REOPEN_SECONDS
            return index if lasting else None
    return None


def to_json(incident: Incident) -> dict[str, Any]:
    """Return the incident as plain data for the sensor's cursor."""
    return asdict(incident)


def from_json(data: dict[str, Any]) -> Incident:
    """Return the incident that `to_json` wrote; fields of a later version are left out."""
    last = dict(data["last"])
    last["facts"] = tuple((str(label), str(value)) for label, value in last["facts"])
    last["items"] = tuple(last["items"])
    known = {field.name for field in fields(Incident)}
    rest = {name: value for name, value in data.items() if name in known and name != "last"}
    rest["items"] = tuple(rest.get("items", ()))
    return Incident(last=Observation(**last), **rest)
