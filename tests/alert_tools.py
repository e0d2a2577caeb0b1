"""What tests of alerts share: Slack's stand-in, a store in memory, and a desk that ticks when it is told to."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn

from contracts.clock import ManualClock
from contracts.settings import Settings
from local.ports import free_ports
from local.slack_stand_in import application
from orchestration.alerts.attempts import Outcome
from orchestration.alerts.channels.build import build
from orchestration.alerts.channels.channel import Channel
from orchestration.alerts.channels.slack import SlackChannel
from orchestration.alerts.delivery import Courier
from orchestration.alerts.incidents import Action, Incident, Observation
from orchestration.alerts.intake import Intake
from orchestration.alerts.outbox import OutboxRow
from orchestration.alerts.rules import Rules
from orchestration.alerts.store import Store
from tests.patience import WAIT_SECONDS

# Of today: ClickHouse deletes what is old.
# Yesterday's: the stand-in stamps its messages with the machine's clock, which must be later than the desk's.
NOON = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
SUBJECT = "check:marts/fct_item:x"


def seen(seconds: float, *items: str, failing: bool = True, subject: str = SUBJECT, **more: Any) -> Observation:
    """An evaluation so many seconds after noon."""
    words = {"title": "x on marts/fct_item", "summary": "Item i1 sold 90.", "path": "/assets/a?view=checks"}
    at = NOON + timedelta(seconds=seconds)
    return Observation(subject=subject, kind="check", at=at, failing=failing, items=items, **(words | more))


def passing(seconds: float, subject: str = SUBJECT) -> Observation:
    return seen(seconds, failing=False, subject=subject)


# A story that uses every part: opened, joined, acknowledged, resolved, opened again, resolved.
STORY: Sequence[tuple[float, Any]] = (
    (0, seen(0, "i1", values={"observed": 90, "ratio": 9.5})),
    (5, seen(5, "i1", "i2 | ☃")),
    (10, passing(10)),
    (15, seen(15, "i3")),
    (20, passing(20)),
)


class StandIn:
    """A running stand-in, its address and what it accepted."""

    def __init__(self, port: int, file: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.file = file

    def misbehave(self, **fault: object) -> None:
        request = urllib.request.Request(f"{self.url}/_faults", json.dumps(fault).encode(), method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def behave(self) -> None:
        self.misbehave(times=0)

    def calls(self) -> list[dict[str, Any]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [json.loads(line) for line in lines]

    def methods(self) -> list[str]:
        return [call["method"] for call in self.calls()]

    def posts(self) -> list[dict[str, Any]]:
        """The messages, without edits and notes in threads."""
        return [call for call in self.calls() if call["method"] == "chat.postMessage" and not call.get("thread_ts")]

    def notes(self) -> list[str]:
        return [call["text"] for call in self.calls() if call.get("thread_ts")]

    def shown(self) -> str:
        """The words of the newest content."""
        return next(call["text"] for call in reversed(self.calls()) if not call.get("thread_ts"))


@contextmanager
def slack_stand_in(folder: Path) -> Iterator[StandIn]:
    """A stand-in that serves from a thread of its own."""
    (port,) = free_ports(1)
    stand_in = StandIn(port, folder / "slack.jsonl")
    config = uvicorn.Config(application(stand_in.file), host="127.0.0.1", port=port, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + WAIT_SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the stand-in does not start"
        time.sleep(0.01)
    try:
        yield stand_in
    finally:
        server.force_exit = server.should_exit = True
        thread.join(10)


@dataclass
class MemoryStore:
    """A store with the semantics of the real one: of two rows of one key the higher version stays, else the later."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    outbox: dict[str, OutboxRow] = field(default_factory=dict)
    done: list[Action] = field(default_factory=list)

    def latest(self, subjects: Iterable[str]) -> dict[str, Incident]:
        wanted = set(subjects)
        chosen = [one for one in self.incidents.values() if one.state != "resolved" or one.subject in wanted]
        return {one.subject: one for one in sorted(chosen, key=lambda one: one.first_seen)}

    def write_incidents(self, incidents: Sequence[Incident]) -> None:
        for one in incidents:
            written = replace(one, version=one.version + 1)
            before = self.incidents.get(one.fingerprint)
            if before is None or before.version <= written.version:
                self.incidents[one.fingerprint] = written

    def actions(self) -> list[Action]:
        going = {one.fingerprint for one in self.incidents.values() if one.state != "resolved"}
        return [one for one in self.done if one.fingerprint in going]

    def write_outbox(self, rows: Sequence[OutboxRow]) -> None:
        for row in rows:
            before = self.outbox.get(row.id)
            if before is None or before.version <= row.version:
                self.outbox[row.id] = row

    def waiting(self) -> list[OutboxRow]:
        rows = [row for row in self.outbox.values() if row.state in {"pending", "sending"}]
        return sorted(rows, key=lambda row: (row.created_at, row.revision, row.id))

    def rejected(self, since: datetime) -> list[OutboxRow]:
        return [row for row in self.outbox.values() if row.state == "rejected" and row.updated_at > since]

    def place(self, incident: str, channel: str) -> str:
        rows = [row for row in self._delivered(channel) if row.incident == incident]
        return max(rows, key=lambda row: (row.updated_at, row.revision)).place if rows else ""

    def places(self, incidents: Iterable[str]) -> dict[tuple[str, str], str]:
        pairs = {(row.incident, row.channel) for row in self.outbox.values()}
        found = {pair: self.place(*pair) for pair in pairs if pair[0] in set(incidents)}
        return {pair: place for pair, place in found.items() if place}

    def posted(self, channel: str, group: str, since: datetime) -> list[datetime]:
        return sorted(at for at in self._posts(channel, group) if at >= since)

    def held(self, channel: str, incident: str) -> int:
        last = max(self._posts(channel), default=datetime.min.replace(tzinfo=UTC))
        limited = [row for row in self.outbox.values() if row.channel == channel and row.reason == "rate limit"]
        return len({row.incident for row in limited if row.incident != incident and row.updated_at >= last})

    def _delivered(self, channel: str) -> list[OutboxRow]:
        rows = (row for row in self.outbox.values() if row.channel == channel and row.state == "delivered")
        return [row for row in rows if row.kind != "note"]

    def _posts(self, channel: str, group: str | None = None) -> list[datetime]:
        first: dict[str, datetime] = {}
        for row in self._delivered(channel):
            if row.kind != "digest" and group in {None, row.notice.group}:
                first[row.incident] = min(row.updated_at, first.get(row.incident, row.updated_at))
        return list(first.values())


RULES = {
    "channels": {"slack": {"kind": "slack"}},
    "routes": [{"channels": ["slack"]}],
    "owners": {"shop": {"mention": "<@U1>"}},
}


def rules_of(**changes: object) -> Rules:
    return Rules.model_validate(RULES | changes)


@dataclass
class Desk:
    """The alerts' sensor without Dagster: what it observes is given, and its clock is moved by hand."""

    store: Store
    settings: Settings
    rules: Rules = field(default_factory=rules_of)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    channels: Mapping[str, Channel] | None = None
    timeout: float = 10.0

    def tick(self, *observations: Observation, at: float | None = None) -> Outcome:
        """Take in and deliver, at so many seconds after noon."""
        if at is not None:
            self.clock.moment = NOON + timedelta(seconds=at)
        intake = Intake(self.store, self.rules, self.settings, lambda: "upstream: lag 0")
        intake.take_in(observations, self.clock.now())
        channels = self.channels if self.channels is not None else self._channels()
        return Courier(self.store, channels, self.rules, self.clock, random.Random(7)).deliver()

    def _channels(self) -> dict[str, Channel]:
        built = build(self.rules, self.settings)
        slack = [name for name, one in built.items() if isinstance(one, SlackChannel)]
        return built | {name: SlackChannel(self.settings, timeout=self.timeout) for name in slack}


def slack_settings(stand_in: StandIn, **changes: object) -> Settings:
    base = {"_env_file": None, "slack_api_url": f"{stand_in.url}/api/", "slack_channel": "#alerts"}
    return Settings(**(base | changes))
