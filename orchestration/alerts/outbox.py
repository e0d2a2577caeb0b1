"""A message that has to be delivered, and what becomes of it: pure functions on rows of ops.alert_outbox."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from orchestration.alerts.incidents import Change, digest
from orchestration.alerts.notice import Notice

FIRST_DELAY_SECONDS: Final = 5.0
LONGEST_DELAY_SECONDS: Final = 300.0
# What was sent and not answered may still arrive: it is looked for after this time and not sooner.
SETTLE_SECONDS: Final = 10.0

PENDING, SENDING, DELIVERED = "pending", "sending", "delivered"
SUPERSEDED, HELD, REJECTED = "superseded", "held", "rejected"
# Why a row waits, where that says more than that an attempt failed.
ASKED_TO_WAIT, QUIET, LIMITED, REFUSED = "asked to wait", "quiet hours", "rate limit", "refused"


@dataclass(frozen=True)
class OutboxRow:
    """One message to one channel; its fields are the columns of ops.alert_outbox.

    Args:
        id: follows from the incident, the channel and the change.
        incident: fingerprint, or the digest's day.
        channel: name in the rules.
        kind: open, update, resolve (the incident's one message), note (in its thread), digest.
        revision: the incident's, so that a later edit replaces an earlier one.
        payload: a `Notice` as JSON.
        created_at, updated_at: when it was written first and last.
        attempts: how often it was tried.
        next_attempt_at: not before this.
        state: see the migration.
        reason: why it waits.
        place: where the delivered message stands, in the channel's own terms.
        last_error: what the last attempt met.
        version: number of times the row was written.

    """

    id: str
    incident: str
    channel: str
    kind: str
    revision: int
    payload: str
    created_at: datetime
    updated_at: datetime
    next_attempt_at: datetime
    attempts: int = 0
    state: str = PENDING
    reason: str = ""
    place: str = ""
    last_error: str = ""
    version: int = 1

    @property
    def notice(self) -> Notice:
        """What is to be said; a row of more than 30 days ago has forgotten it (see the migration)."""
        if not self.payload:
            return Notice(self.kind, self.incident, "A message of more than 30 days ago", "Its words are gone.")
        try:
            return Notice.from_json(self.payload)
        except (ValueError, KeyError, TypeError):
            return Notice(self.kind, self.incident, "A message that cannot be read", "It is of another version.")

    def moved(self, now: datetime, state: str, **changes: object) -> OutboxRow:
        """Return the row's next version."""
        return replace(self, state=state, updated_at=now, version=self.version + 1, **changes)  # type: ignore[arg-type] # names are fields

    def sending(self, now: datetime) -> OutboxRow:
        """Return the row as it is written before an attempt: whoever finds it so does not know the outcome."""
        later = now + timedelta(seconds=SETTLE_SECONDS)
        return self.moved(now, SENDING, attempts=self.attempts + 1, next_attempt_at=later, reason="")

    def delivered(self, now: datetime, place: str) -> OutboxRow:
        """Return the row once its message stands at `place`."""
        return self.moved(now, DELIVERED, place=place, reason="")

    def put_off(
        self, now: datetime, error: Exception, jitter: random.Random, state: str, reason: str = ""
    ) -> OutboxRow:
        """Return the row after an attempt that did nothing (pending), or may have done it (sending)."""
        delay = back_off(self.attempts, jitter)
        if state == SENDING:
            delay = max(delay, timedelta(seconds=SETTLE_SECONDS))
        return self.moved(now, state, next_attempt_at=now + delay, last_error=str(error)[:500], reason=reason)

    def waiting(self, now: datetime, until: datetime, reason: str) -> OutboxRow:
        """Return the row put off for a reason that is no failure; what is not known stays not known."""
        return self.moved(now, self.state, next_attempt_at=until, reason=reason)


def rows_of(change: Change, channels: Iterable[str], notice: Notice, now: datetime) -> list[OutboxRow]:
    """Return the rows of a change, one a channel; the same ids for the same change."""
    incident, payload = change.incident, notice.to_json()
    return [
        OutboxRow(
            id=digest(incident.fingerprint, channel, change.kind, change.key),
            incident=incident.fingerprint,
            channel=channel,
            kind=change.kind,
            revision=incident.revision,
            payload=payload,
            created_at=now,
            updated_at=now,
            next_attempt_at=now,
        )
        for channel in channels
    ]


def back_off(attempts: int, jitter: random.Random) -> timedelta:
    """Return how long to wait after so many attempts: exponential with full jitter.

        uniform(0, min(300 s, 5 s * 2 ** attempts))

    Full jitter as in Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    ceiling = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempts, 10))
    return timedelta(seconds=jitter.uniform(0, ceiling))


def paused_until(rows: Sequence[OutboxRow]) -> datetime | None:
    """Return until when the channel of `rows` asked to be left alone, or None."""
    return max((row.next_attempt_at for row in rows if row.reason == ASKED_TO_WAIT), default=None)


def due_at(rows: Sequence[OutboxRow]) -> datetime:
    """Return when the message that `rows` edit, in order, may be tried: a newer edit does not cut a wait short."""
    tried = [row.next_attempt_at for row in rows if row.attempts]
    return max([rows[-1].next_attempt_at, *tried])


def newest_of(rows: Sequence[OutboxRow]) -> OutboxRow:
    """Return the last of the rows that edit one message; what was tried for the others counts for its waits."""
    return replace(rows[-1], attempts=max(row.attempts for row in rows))
