"""What people are told, the same for every channel: a plain record that the outbox keeps as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from contracts.settings import Settings
from orchestration.alerts.incidents import Change, Incident

# What explains a verdict, in the order in which it is read; the rest of the values is for machines.
FACTS: Final = (
    *("observed", "expected", "ratio", "sample_size", "window", "detector", "threshold"),
    *("items_looked_at", "failed_rows", "job", "run"),
)
_SHOWN: Final = 200
_FAILED: Final = {"check": "Check failed", "run": "Run failed", "sensor": "Sensor failed"}


@dataclass(frozen=True)
class Notice:
    """One message or note.

    Args:
        kind: open, update, resolve, note, digest or test.
        key: what the message is about: the incident's fingerprint, or the digest's day.
        headline: a few words; `summary` one or two sentences.
        state, severity: of the incident; they colour it.
        group: of the incident; the rate limit counts by it.
        timing: since when, how often, how long, who looks after it.
        facts: label and value, in order.
        table: Markdown, or ''.
        chart: times, observed, expected and upper as lists, or None.
        health: how the hops before it are doing, or ''.
        owner, mention: who looks after it and what calls them; the mention only where they are to be called.
        links: label and address.
        note: what a note says.
        held: messages that the rate limit held back before this one.

    """

    kind: str
    key: str
    headline: str
    summary: str
    state: str = "open"
    severity: str = "error"
    group: str = ""
    timing: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    table: str = ""
    chart: Mapping[str, Any] | None = None
    health: str = ""
    owner: str = ""
    mention: str = ""
    links: tuple[tuple[str, str], ...] = ()
    note: str = ""
    held: int = 0

    @property
    def text(self) -> str:
        """The message in one line, for notifications, the log and screen readers."""
        if self.kind == "note":
            return " ".join(filter(None, (self.mention, self.note)))
        return f"{self.headline}. {self.summary}" if self.summary else self.headline

    @property
    def held_text(self) -> str:
        """What the rate limit held back, or ''."""
        if not self.held:
            return ""
        some = "1 other message was" if self.held == 1 else f"{self.held} other messages were"
        return f"{some} held back by the rate limit; `millrace alerts list` shows them."

    def to_json(self) -> str:
        """Return the notice for the outbox."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Notice:
        """Return the notice that `to_json` wrote."""
        data = json.loads(text)
        pairs = {name: tuple((str(a), str(b)) for a, b in data[name]) for name in ("facts", "links")}
        return cls(**(data | pairs))

    def with_held(self, count: int) -> Notice:
        """Return the notice with the number of those held back before it."""
        return replace(self, held=count)


def of_change(change: Change, owner: str, mention: str, health: str, settings: Settings) -> Notice:
    """Return what is said about a change."""
    incident = change.incident
    table, chart = incident.values.get("table"), incident.values.get("chart")
    return Notice(
        kind=change.kind,
        key=incident.fingerprint,
        headline=headline(incident),
        summary=incident.summary or "No explanation was given.",
        state=incident.state,
        severity=incident.severity,
        group=incident.group_name,
        timing=timing(incident),
        facts=tuple((name.replace("_", " "), _shown(incident.values[name])) for name in FACTS if _has(incident, name)),
        table=str(table or ""),
        chart=chart if isinstance(chart, Mapping) else None,
        health=" · ".join(filter(None, (health, _held_back(incident)))),
        owner=owner,
        mention=mention if change.kind == "open" or change.calls else "",
        links=links(incident, settings),
        note=change.text,
    )


def headline(incident: Incident) -> str:
    """Return the first words: what happened, to what."""
    word = _FAILED.get(incident.kind, "Failed")
    if incident.is_over:
        word = "Resolved"
    elif incident.state == "acknowledged":
        word = f"Acknowledged by {incident.acknowledged_by}"
    return f"{word}: {incident.title}"


def timing(incident: Incident) -> str:
    """Return since when and how often; once it is over, how long it lasted."""
    times = f"seen {incident.count} time{'s' if incident.count > 1 else ''}"
    again = f", came back {incident.reopened} time{'s' if incident.reopened > 1 else ''}" if incident.reopened else ""
    began = f"{incident.first_seen:%Y-%m-%d %H:%M:%S} UTC"
    if incident.resolved_at is None:
        return f"since {began} · {times}{again}"
    lasted = duration((incident.resolved_at - incident.first_seen).total_seconds())
    by = f" · resolved by {incident.resolved_by}" if incident.resolved_by else ""
    return f"{began}, lasted {lasted} · {times}{again}{by}"


def links(incident: Incident, settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return where more is to be seen: in Dagster, its run, the dashboard, the runbook."""
    base = settings.dagster_url.rstrip("/") or f"http://localhost:{settings.dagster_port}"
    found = [("Open in Dagster", f"{base}{incident.path}")]
    run = str(incident.values.get("run") or "")
    if run and run not in incident.path:
        found.append(("Run", f"{base}/runs/{run}"))
    found.append(("Dashboard", settings.dashboard_url))
    runbook = str(incident.values.get("runbook") or "")
    if runbook:
        found.append(("Runbook" if "://" in runbook else f"Runbook: {runbook}", runbook if "://" in runbook else ""))
    return tuple(found)


def duration(seconds: float) -> str:
    """Return a length of time for a person: 45 s, 12 min, 3 h 20 min."""
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _held_back(incident: Incident) -> str:
    return f"Explained upstream: {incident.held_back}" if incident.held_back else ""


def _has(incident: Incident, name: str) -> bool:
    return incident.values.get(name) not in (None, "", [])


def _shown(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text[:_SHOWN]
