"""The alerting watches itself, on a path of its own: it needs neither the outbox nor the channel that is in trouble."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from contracts.errors import MillraceError
from orchestration.alerts import outbox
from orchestration.alerts.channels.channel import Channel
from orchestration.alerts.channels.log import LogChannel
from orchestration.alerts.incidents import digest
from orchestration.alerts.notice import Notice, duration
from orchestration.alerts.outbox import OutboxRow

# What passes by itself within a minute is nobody's business.
GRACE: Final = timedelta(minutes=1)
STUCK_AFTER: Final = timedelta(minutes=15)
_ON_PURPOSE: Final = frozenset({outbox.QUIET, outbox.LIMITED})

_log = logging.getLogger("dagster.millrace.alerts")


@dataclass(frozen=True)
class Trouble:
    """Something wrong with the alerting.

    Args:
        subject: what, the same every time; what begins alike up to the colon is judged together.
        text: what is wrong and what to do.

    """

    subject: str
    text: str


@dataclass(frozen=True)
class Known:
    """A trouble that is going on.

    Args:
        text: as it was found last.
        since: when it was found first, in UTC.
        told: whether somebody was told.

    """

    text: str
    since: datetime
    told: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it for a sensor's cursor."""
        return {"text": self.text, "since": self.since.isoformat(), "told": self.told}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Known:
        """Return what `to_json` wrote."""
        return cls(str(data["text"]), datetime.fromisoformat(data["since"]), bool(data["told"]))


def outbox_troubles(waiting: Sequence[OutboxRow], now: datetime) -> list[Trouble]:
    """Return what waits in the outbox for too long or for a person, a trouble a channel."""
    found = []
    for channel in sorted({row.channel for row in waiting}):
        rows = [row for row in waiting if row.channel == channel]
        refused = [row for row in rows if row.reason == outbox.REFUSED]
        stuck = [row for row in rows if now - row.created_at > STUCK_AFTER and row.reason not in _ON_PURPOSE]
        texts = "; ".join(row.notice.text[:200] for row in (refused or stuck)[:5])
        if refused:
            why = f"{refused[-1].last_error} {len(rows)} messages wait until that is mended: {texts}"
            found.append(Trouble(f"outbox:{channel}", f"The channel {channel} refuses messages: {why}"))
        elif stuck:
            oldest = duration((now - min(row.created_at for row in stuck)).total_seconds())
            why = f"{len(stuck)} messages wait for {channel}, the oldest for {oldest}. {stuck[0].last_error} {texts}"
            found.append(Trouble(f"outbox:{channel}", why))
    return found


def compare(
    known: Mapping[str, Known], found: Iterable[Trouble], unknown: Sequence[str], now: datetime
) -> tuple[dict[str, Known], list[Notice]]:
    """Return what is going on now, and what has to be said: what has lasted long enough, and what is over.

    Args:
        known: what was going on before, by subject.
        found: what is wrong now.
        unknown: beginnings of subjects that could not be looked at: they stay as they were.
        now: in UTC.

    """
    going = {name: one for name, one in known.items() if name.startswith(tuple(unknown))}
    for trouble in found:
        before = known.get(trouble.subject)
        going[trouble.subject] = Known(trouble.text, before.since if before else now, before.told if before else False)
    notices = []
    for name, one in going.items():
        if not one.told and now - one.since >= GRACE:
            going[name] = replace(one, told=True)
            notices.append(_notice(name, one, now, is_over=False))
    over = (item for item in known.items() if item[0] not in going and item[1].told)
    notices += [_notice(name, one, now, is_over=True) for name, one in over]
    return going, notices


def rejected_notice(rows: Sequence[OutboxRow]) -> Notice:
    """Return what is said about messages that a channel will never take: their words, so that nothing is lost."""
    words = "\n".join(f"- {row.channel}: {row.last_error} It said: {row.notice.text[:500]}" for row in rows[:20])
    key = digest("rejected", *(row.id for row in rows))
    return Notice("open", key, f"{len(rows)} alerts were rejected", words)


def tell(notice: Notice, channels: Iterable[Channel]) -> str:
    """Say it on the first channel that takes it, at last in the log; return what the others said."""
    troubles = []
    for channel in channels:
        try:
            channel.post(notice, notice.key)
        except MillraceError as error:
            troubles.append(str(error))
            _log.error("the watch over the alerting cannot use a channel: %s", error)
        else:
            return "; ".join(troubles)
    LogChannel().post(notice, notice.key)
    return "; ".join(troubles)


def _notice(subject: str, known: Known, now: datetime, *, is_over: bool) -> Notice:
    lasted = duration((now - known.since).total_seconds())
    since = f"{known.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Notice(
        kind="resolve" if is_over else "open",
        key=digest("watch", subject, known.since.isoformat(), str(is_over)),
        headline=f"{'Over' if is_over else 'The alerting is in trouble'}: {subject}",
        summary=known.text,
        state="resolved" if is_over else "open",
        timing=f"since {since}, lasted {lasted}" if is_over else f"since {since}",
    )
