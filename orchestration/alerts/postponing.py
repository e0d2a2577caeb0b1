"""What must not be said yet: quiet hours and the rate limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.clock import Clock
from orchestration.alerts import outbox
from orchestration.alerts.outbox import OutboxRow
from orchestration.alerts.rules import Rules
from orchestration.alerts.store import Store


@dataclass(frozen=True)
class Postponing:
    """Judges new messages; edits make no sound and are never put off."""

    rules: Rules
    store: Store
    clock: Clock

    def quiet_until(self, row: OutboxRow) -> datetime | None:
        """Return when a message may make a sound, or None for now."""
        hours = self.rules.quiet_hours
        return hours.until(self.clock.now(), row.notice.severity) if hours else None

    def of(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Return the rows of a new message put off, or held back for good when it is over by now; none for now."""
        now, newest = self.clock.now(), rows[-1]
        if until := self.quiet_until(newest):
            return [row.waiting(now, until, outbox.QUIET) for row in rows]
        if newest.notice.state == "resolved" and any(row.reason == outbox.LIMITED for row in rows):
            return [row.moved(now, outbox.HELD, reason=outbox.LIMITED) for row in rows]
        until = self._limited_until(newest, now)
        return [row.waiting(now, until, outbox.LIMITED) for row in rows] if until else []

    def along(self, put_off: Sequence[OutboxRow], notes: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Return the notes of a message that is held back for good: nobody will read them."""
        if put_off[-1].state != outbox.HELD:
            return []
        now = self.clock.now()
        return [note.moved(now, outbox.SUPERSEDED, reason="") for note in notes]

    def _limited_until(self, row: OutboxRow, now: datetime) -> datetime | None:
        limit = self.rules.rate_limit
        if limit is None:
            return None
        window = timedelta(minutes=limit.minutes)
        posted = self.store.posted(row.channel, row.notice.group, now - window)
        return posted[-limit.messages] + window if len(posted) >= limit.messages else None
