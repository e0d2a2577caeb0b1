"""Incidents for people at a terminal and for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, get_args

from contracts.errors import UserError
from orchestration.alerts.incidents import Incident, State
from orchestration.alerts.notice import duration
from orchestration.alerts.rules import Rules

STATES: Final = (*get_args(State), "lasting", "all")
HEADER: Final = ("incident", "state", "severity", "since (UTC)", "lasted", "seen", "group", "owner", "what")
# What only the machinery needs.
_INNER: Final = frozenset({"applied", "revision", "version", "refreshed_at", "evaluated_at"})


def chosen(incidents: Iterable[Incident], state: str) -> list[Incident]:
    """Return the incidents in a state.

    Raises:
        UserError: there is no such state.

    """
    if state not in STATES:
        raise UserError(f"--state {state!r}: there are {', '.join(STATES)}")
    wanted = {"all": get_args(State), "lasting": ("open", "acknowledged")}.get(state, (state,))
    return [one for one in incidents if one.state in wanted]


def one_of(incidents: Sequence[Incident], name: str) -> Incident:
    """Return the incident whose fingerprint begins with `name`.

    Raises:
        UserError: there is none, or there are several.

    """
    found = [one for one in incidents if name and one.fingerprint.startswith(name.lower())]
    exact = [one for one in found if one.fingerprint == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise UserError(f"{name!r} is the beginning of {len(found)} incidents; write more of its name")
    raise UserError(f"there is no incident {name!r}; `millrace alerts list --state all` shows them")


def cells(incident: Incident, rules: Rules, now: datetime) -> tuple[str, ...]:
    """Return the incident as a line of a table with `HEADER`."""
    lasted = duration(((incident.resolved_at or now) - incident.first_seen).total_seconds())
    state = f"{incident.state} by {incident.acknowledged_by}" if incident.state == "acknowledged" else incident.state
    held = f" (told to nobody: {incident.held_back})" if incident.held_back else ""
    return (
        *(incident.fingerprint, state, incident.severity, f"{incident.first_seen:%Y-%m-%d %H:%M:%S}", lasted),
        *(str(incident.count), incident.group_name, rules.owner_of(incident)),
        f"{incident.title}: {incident.summary}{held}",
    )


def as_values(incident: Incident, rules: Rules) -> dict[str, Any]:
    """Return the incident ready for JSON; times are ISO 8601 in UTC."""
    values = {name: value for name, value in asdict(incident).items() if name not in _INNER}
    return {name: _plain(value) for name, value in values.items()} | {"owner": rules.owner_of(incident)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
