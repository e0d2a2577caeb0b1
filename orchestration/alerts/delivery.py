"""Brings Slack to show what is true, and remembers in a sensor's cursor what it already shows."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from contracts.errors import Permanent, RetryLater, SlowDown
from contracts.settings import Settings
from orchestration.alerts.incidents import Incident, Observation, fold, from_json, kept, posted, to_json
from orchestration.alerts.render import render, render_note
from orchestration.alerts.slack import Slack

_log = logging.getLogger("dagster.millrace.alerts")


@dataclass(frozen=True)
class Ledger:
    """What a sensor remembers between ticks.

    Args:
        seen: how far it has read, in its own terms.
        incidents: what is wrong, was wrong lately, or still has to be said.
        not_before: epoch seconds until which Slack asked to be left alone.

    """

    seen: dict[str, Any]
    incidents: tuple[Incident, ...] = ()
    not_before: float = 0.0

    @classmethod
    def read(cls, text: str | None) -> Ledger:
        """Return the ledger written by `write`, an empty one at first.

        A text that cannot be read raises: to forget which messages were posted would post them again.
        """
        if not text:
            return cls({})
        data = json.loads(text)
        return cls(data["seen"], tuple(from_json(one) for one in data["incidents"]), data["not_before"])

    def write(self) -> str:
        """Return the ledger as text."""
        incidents = [to_json(one) for one in self.incidents]
        return json.dumps({"seen": self.seen, "incidents": incidents, "not_before": self.not_before})

    def after(self, observations: Iterable[Observation], seen: dict[str, Any]) -> Ledger:
        """Return the ledger with newly read observations folded in."""
        incidents = list(self.incidents)
        for one in observations:
            incidents = fold(incidents, one)
        return replace(self, seen=seen, incidents=tuple(incidents))


@dataclass(frozen=True)
class Outcome:
    """What a delivery came to: the ledger to keep, messages sent, and why it stopped, if it did."""

    ledger: Ledger
    sent: int
    trouble: str = ""


def deliver(ledger: Ledger, settings: Settings, now: float) -> Outcome:
    """Send what is due. What could not be sent stays due, so an outage of Slack loses nothing."""
    if now < ledger.not_before:
        wait = ledger.not_before - now
        return Outcome(ledger, 0, f"Slack asked to be left alone for another {wait:.0f} s.")
    slack, base = Slack(settings), f"http://localhost:{settings.dagster_port}"
    incidents, sent, trouble = list(ledger.incidents), 0, ""
    for index, incident in enumerate(incidents):
        if not incident.is_due:
            continue
        try:
            incidents[index] = _send(slack, incident, base)
            sent += 1
        except SlowDown as error:
            waiting = replace(ledger, incidents=tuple(incidents), not_before=now + error.seconds)
            return Outcome(waiting, sent, f"{error}; it is sent then.")
        except RetryLater as error:
            trouble = f"{error}; {incident.last.title} is sent with the next tick."
            break  # the others would meet the same
        except Permanent as error:
            trouble = f"{error}; {incident.last.title} cannot be sent."
            _log.error("alert cannot be sent: %s", trouble)
    return Outcome(replace(ledger, incidents=tuple(kept(incidents, now))), sent, trouble)


def _send(slack: Slack, incident: Incident, base: str) -> Incident:
    message = render(incident, base)
    if not incident.ts:
        return posted(incident, *slack.post(message))
    slack.update(incident.channel, incident.ts, message)
    if incident.new_items and incident.state == "open":
        slack.note(incident.channel, incident.ts, render_note(incident))
    return posted(incident, incident.channel, incident.ts)
