"""Brings every channel to show what is true, from the outbox: each message once, whatever happens in between.

Before something is posted, its row says that it is being sent. Whoever finds such a row, this process or the one after
a crash, first looks in the channel whether it arrived. An edit may be repeated without looking.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from contracts.clock import Clock
from orchestration.alerts import outbox
from orchestration.alerts.attempts import Attempts, Outcome, Stop
from orchestration.alerts.channels.channel import Channel, Gone
from orchestration.alerts.outbox import OutboxRow, due_at, newest_of, paused_until
from orchestration.alerts.postponing import Postponing
from orchestration.alerts.rules import Rules
from orchestration.alerts.store import Store

# A tick has a minute, and what was observed next waits for it.
BUDGET_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Courier:
    """Delivers what is due.

    Args:
        store: holds the outbox.
        channels: by their names in the rules.
        rules: quiet hours and the rate limit.
        clock: says what is due.
        jitter: spreads repeats.

    """

    store: Store
    channels: Mapping[str, Channel]
    rules: Rules
    clock: Clock
    jitter: random.Random

    def deliver(self) -> Outcome:
        """Send what is due. What could not be sent stays due.

        Raises:
            RetryLater, Permanent: by ClickHouse; the outbox is as true as before.

        """
        outcome, deadline = Outcome(), self.clock.monotonic() + BUDGET_SECONDS
        waiting = sorted(self.store.waiting(), key=lambda row: row.channel)
        for name, rows in groupby(waiting, key=lambda row: row.channel):
            attempts = Attempts(self.store, self.clock, self.jitter, outcome, {row.id: row for row in rows})
            if name in self.channels:
                postponing = Postponing(self.rules, self.store, self.clock)
                _Round(name, self.channels[name], attempts, postponing).run(deadline)
            else:
                attempts.give_up(f"the rules have no channel {name} any more")
        return outcome


@dataclass(frozen=True)
class _Round:
    """One pass over what waits for one channel."""

    name: str
    channel: Channel
    attempts: Attempts
    postponing: Postponing

    def run(self, deadline: float) -> None:
        """Send what is due, in the order in which it came up, until the channel refuses or time is up."""
        rows, clock = list(self.attempts.rows.values()), self.attempts.clock
        until = paused_until(rows)
        if until and clock.now() < until:
            self.attempts.outcome.troubles.append(f"{self.name} asked to be left alone until {until:%H:%M:%S} UTC")
            return
        try:
            for incident in dict.fromkeys(row.incident for row in rows):
                if clock.monotonic() > deadline:
                    self.attempts.outcome.troubles.append("out of time; the rest goes with the next tick")
                    return
                self._incident([row for row in rows if row.incident == incident])
        except Stop:
            return

    def _incident(self, rows: list[OutboxRow]) -> None:
        edits = sorted((row for row in rows if row.kind != "note"), key=lambda row: (row.revision, row.created_at))
        notes = [row for row in rows if row.kind == "note"]
        now = self.attempts.clock.now()
        if edits:
            if due_at(edits) > now:
                return  # a note belongs below what the message is going to say
            self._message(edits, notes)
        for note in notes:
            if self.attempts.waits(note) and note.next_attempt_at <= now:
                self._note(note)

    def _message(self, rows: list[OutboxRow], notes: list[OutboxRow]) -> None:
        """Bring the incident's one message up to date."""
        incident = rows[0].incident
        place = self.attempts.store.place(incident, self.name)
        unsure = next((row for row in reversed(rows) if row.state == outbox.SENDING), None)
        if unsure is not None:
            found = self.attempts.look(unsure, lambda since: self.channel.find(incident, since))
            if found:
                place = found
                shown = [row for row in rows if row.revision <= unsure.revision]
                self.attempts.settled(unsure, place, shown, notes)
                rows = [row for row in rows if row.revision > unsure.revision]
        if rows and place:
            self._change(place, rows, notes)
        elif rows:
            self._post(rows, notes)

    def _change(self, place: str, rows: list[OutboxRow], notes: list[OutboxRow]) -> None:
        newest = newest_of(rows)
        if self.channel.edits:
            try:
                done = self.attempts.repeatable(
                    newest, rows, lambda: self.channel.edit(place, newest.notice, newest.incident)
                )
            except Gone:
                self._post(rows, notes)
                return
            if done:
                self.attempts.settled(newest, place, rows, ())
        elif newest.kind == "resolve":
            row = self.attempts.begun(newest)
            if self.attempts.once(row, rows, lambda: self.channel.note(place, row.notice, row.id)):
                self.attempts.settled(row, place, rows, ())
        else:
            self.attempts.superseded(rows)

    def _post(self, rows: list[OutboxRow], notes: list[OutboxRow]) -> None:
        newest, held = newest_of(rows), 0
        if newest.kind != "digest":
            put_off = self.postponing.of(rows)
            if put_off:
                self.attempts.write(*put_off, *self.postponing.along(put_off, notes))
                return
            held = self.attempts.store.held(self.name, newest.incident)
        row = self.attempts.begun(newest)
        place = self.attempts.once(row, rows, lambda: self.channel.post(row.notice.with_held(held), row.incident))
        if place:
            self.attempts.settled(row, place, rows, notes)

    def _note(self, note: OutboxRow) -> None:
        place = self.attempts.store.place(note.incident, self.name)
        if not place:
            return  # what it belongs to was never posted, and will say all of it
        if note.state == outbox.SENDING:
            found = self.attempts.look(note, lambda since: self.channel.find(note.id, since, place))
            if found:
                self.attempts.settled(note, found, [note], ())
                return
        if until := self.postponing.quiet_until(note):
            self.attempts.write(note.waiting(self.attempts.clock.now(), until, outbox.QUIET))
            return
        row = self.attempts.begun(note)
        done = self.attempts.once(row, [note], lambda: self.channel.note(place, row.notice, row.id))
        if done:
            self.attempts.settled(row, done, [note], ())
