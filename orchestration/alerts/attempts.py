"""One attempt to send something, and what is written down before and after it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from contracts.clock import Clock
from contracts.errors import LookFirst, Permanent, RetryLater, SlowDown
from orchestration.alerts import outbox
from orchestration.alerts.channels.channel import Gone, Refused
from orchestration.alerts.outbox import OutboxRow
from orchestration.alerts.store import Store

# The servers' clocks and ours may differ by so much.
_EARLIER: Final = timedelta(minutes=1)

_log = logging.getLogger("dagster.millrace.alerts")


@dataclass
class Outcome:
    """What a delivery came to: messages, edits and notes sent, and what went wrong."""

    sent: int = 0
    troubles: list[str] = field(default_factory=list)


class Stop(Exception):
    """The channel takes nothing now; its other messages would meet the same."""


@dataclass
class Attempts:
    """The attempts of one pass over one channel.

    Args:
        store, clock, jitter: as the courier has them.
        outcome: is added to.
        rows: what waited when the pass began, by id, in its newest version.

    """

    store: Store
    clock: Clock
    jitter: random.Random
    outcome: Outcome
    rows: dict[str, OutboxRow]

    def write(self, *rows: OutboxRow) -> None:
        """Write new versions, and know them."""
        self.store.write_outbox(rows)
        self.rows |= {row.id: row for row in rows}

    def waits(self, row: OutboxRow) -> bool:
        """Return whether nothing has become of the row yet."""
        return self.rows[row.id].state in {outbox.PENDING, outbox.SENDING}

    def begun(self, row: OutboxRow) -> OutboxRow:
        """Write down that the row is about to be sent: from here on nobody sends it without looking."""
        begun = row.sending(self.clock.now())
        self.write(begun)
        return begun

    def once(self, row: OutboxRow, rows: Sequence[OutboxRow], send: Callable[[], str]) -> str:
        """Send what was begun; return its place, or '' when it was rejected.

        Raises:
            Stop: it was not sent, or nobody knows; the row says so.

        """
        try:
            return send()
        except (RetryLater, Permanent) as error:
            self._failed(row, rows, error)
        except Exception as error:
            self._failed(row, rows, _unexpected(error))
        return ""

    def repeatable(self, row: OutboxRow, rows: Sequence[OutboxRow], send: Callable[[], None]) -> bool:
        """Send what may arrive twice without harm; return whether it was sent.

        Raises:
            Stop: it was not; the row says so.
            Gone: there is nothing to edit.

        """
        try:
            send()
        except Gone:
            raise
        except LookFirst as error:
            self._failed(replace(row, attempts=row.attempts + 1), rows, RetryLater(str(error)))
        except (RetryLater, Permanent) as error:
            self._failed(replace(row, attempts=row.attempts + 1), rows, error)
        except Exception as error:
            self._failed(row, rows, _unexpected(error))
        else:
            return True
        return False

    def look(self, row: OutboxRow, find: Callable[[datetime], str]) -> str:
        """Look whether an attempt of which nothing is known arrived; return its place or ''.

        Raises:
            Stop: nobody can tell now; the row stays as it is.

        """
        try:
            return find(row.created_at - _EARLIER)
        except SlowDown as error:
            self._pause(row, error)
        except (RetryLater, Refused) as error:
            reason = outbox.REFUSED if isinstance(error, Refused) else ""
            tried = replace(row, attempts=row.attempts + 1)
            self.write(tried.put_off(self.clock.now(), error, self.jitter, outbox.SENDING, reason))
            self._trouble(row, error)
        raise Stop

    def settled(self, shown: OutboxRow, place: str, rows: Sequence[OutboxRow], notes: Sequence[OutboxRow]) -> None:
        """Write down that `shown` stands at `place`, and that it replaces `rows` and the notes it has in it."""
        now = self.clock.now()
        told = [note for note in notes if note.revision <= shown.revision and note.state == outbox.PENDING]
        self.write(
            shown.delivered(now, place),
            *(row.moved(now, outbox.SUPERSEDED, reason="") for row in (*rows, *told) if row.id != shown.id),
        )
        self.outcome.sent += 1

    def superseded(self, rows: Sequence[OutboxRow]) -> None:
        """Write down that rows need not be sent."""
        self.write(*(row.moved(self.clock.now(), outbox.SUPERSEDED, reason="") for row in rows))

    def give_up(self, why: str) -> None:
        """Write down that nothing of the channel can be sent."""
        self.outcome.troubles.append(why)
        self.write(*(row.moved(self.clock.now(), outbox.REJECTED, last_error=why) for row in self.rows.values()))

    def _failed(self, row: OutboxRow, rows: Sequence[OutboxRow], error: RetryLater | Permanent) -> None:
        now = self.clock.now()
        self._trouble(row, error)
        if isinstance(error, SlowDown):
            self._pause(row.moved(now, outbox.PENDING), error)
        elif isinstance(error, LookFirst):
            self.write(row.put_off(now, error, self.jitter, outbox.SENDING))
        elif isinstance(error, RetryLater | Refused):
            reason = outbox.REFUSED if isinstance(error, Refused) else ""
            self.write(row.put_off(now, error, self.jitter, outbox.PENDING, reason))
        else:
            others = [one for one in rows if one.id != row.id]
            self.write(*(one.moved(now, outbox.REJECTED, last_error=str(error)[:500]) for one in (row, *others)))
            return
        raise Stop

    def _pause(self, row: OutboxRow, error: SlowDown) -> None:
        """Leave the whole channel alone for as long as it asked."""
        now = self.clock.now()
        until = now + timedelta(seconds=error.seconds)
        others = [one for one in self.rows.values() if one.id != row.id and self.waits(one)]
        waits = (one.waiting(now, max(until, one.next_attempt_at), outbox.ASKED_TO_WAIT) for one in others)
        self.write(row.waiting(now, until, outbox.ASKED_TO_WAIT), *waits)

    def _trouble(self, row: OutboxRow, error: Exception) -> None:
        self.outcome.troubles.append(f"{row.channel}: {error}")
        if isinstance(error, Permanent):
            _log.error("an alert cannot be sent to %s: %s", row.channel, error)


def _unexpected(error: Exception) -> Permanent:
    """Return a mistake of ours as the refusal of this one message: it must not keep the others from being sent."""
    _log.error("an alert could not be sent because of a mistake in the program", exc_info=error)
    return Permanent(f"{type(error).__name__}: {error}")
