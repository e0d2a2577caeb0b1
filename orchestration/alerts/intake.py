"""From observations, people's actions and the passing of time to incidents and messages in the outbox.

The outbox is written before the incidents, and the caller's cursor after both. Killed in between, the same observations
are folded again: the ids are the same, so nothing is said twice and nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts.settings import Settings
from orchestration.alerts.incidents import Action, Change, Incident, Observation
from orchestration.alerts.lifecycle import Step, act, escalate, fold
from orchestration.alerts.notice import of_change
from orchestration.alerts.outbox import OutboxRow, rows_of
from orchestration.alerts.rules import Rules
from orchestration.alerts.store import Store


@dataclass
class Intake:
    """One round of taking in.

    Args:
        store: holds incidents and the outbox.
        rules: who is told what, where and when.
        settings: addresses for links.
        health: says how the hops before the check are doing; asked only when something is said.

    """

    store: Store
    rules: Rules
    settings: Settings
    health: Callable[[], str]
    _incidents: dict[str, Incident] = field(default_factory=dict)
    _before: dict[str, Incident] = field(default_factory=dict)
    _touched: dict[str, Incident] = field(default_factory=dict)
    _changes: list[Change] = field(default_factory=list)

    def take_in(self, observations: Iterable[Observation], now: datetime) -> list[Incident]:
        """Fold in what was observed, what people did and how long it lasts; return the incidents that changed.

        Raises:
            RetryLater, Permanent: by ClickHouse; begin again with the same observations.

        """
        seen = sorted(observations, key=lambda one: one.at)
        self._incidents = self.store.latest({one.subject for one in seen})
        self._before = {one.fingerprint: one for one in self._incidents.values()}
        for one in seen:
            self._keep(fold(self._incidents.get(one.subject), one, self.rules.policy))
        for action in self.store.actions():
            self._act(action)
        for incident in list(self._incidents.values()):
            self._keep(escalate(incident, now, self.rules.policy))
        self._place()
        changed = [one for one in self._touched.values() if one != self._before.get(one.fingerprint)]
        self.store.write_outbox(self._rows(now))
        self.store.write_incidents(changed)
        return changed

    def _keep(self, step: Step) -> None:
        if step.incident is not None:
            self._incidents[step.incident.subject] = self._touched[step.incident.fingerprint] = step.incident
            self._changes += step.changes

    def _act(self, action: Action) -> None:
        meant = (one for one in self._incidents.values() if one.fingerprint == action.fingerprint)
        incident = next(meant, None)
        if incident is not None:
            self._keep(act(incident, action))

    def _place(self) -> None:
        """Note where an incident's message stands in Slack, once it stands there."""
        slack = {name for name, rule in self.rules.channels.items() if rule.kind == "slack"}
        wanted = {
            one.fingerprint: one
            for one in self._incidents.values()
            if one.announced and not (one.ts or one.is_over) and slack & set(self.rules.channels_of(one))
        }
        for (name, channel), place in (self.store.places(wanted) if wanted else {}).items():
            where, ts, *_ = place.split("/") if channel in slack and "/" in place else ("", "")
            if ts:
                self._touched[name] = replace(self._touched.get(name, wanted[name]), channel=where, ts=ts)

    def _rows(self, now: datetime) -> list[OutboxRow]:
        if not self._changes:
            return []
        health = self.health()
        rows = []
        for change in self._changes:
            owner, mention = self.rules.owner_of(change.incident), self.rules.mention_of(change.incident)
            notice = of_change(change, owner, mention, health, self.settings)
            rows += rows_of(change, self.rules.channels_of(change.incident), notice, now)
        return rows
