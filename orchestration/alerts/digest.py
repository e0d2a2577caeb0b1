"""Once a day: what happened since the day before, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.settings import Settings
from orchestration.alerts.incidents import Incident, digest
from orchestration.alerts.notice import Notice, duration
from orchestration.alerts.outbox import OutboxRow
from orchestration.alerts.rules import Digest, Rules

PERIOD: Final = timedelta(days=1)
_LINES: Final = 15
_TITLE: Final = 80


def due_day(rules: Rules, last: str, now: datetime) -> str:
    """Return the day whose digest is due, as YYYY-MM-DD; '' for none.

    Args:
        rules: the hour and its zone.
        last: the day of the last one; '' on the first look, when nothing is due: there is nothing to look back on.
        now: in UTC.

    """
    if rules.digest is None or not last:
        return ""
    local = now.astimezone(ZoneInfo(rules.digest.zone))
    today = local.date()
    day = today if local.hour >= rules.digest.hour else today - timedelta(days=1)
    return day.isoformat() if day > date.fromisoformat(last) else ""


def today(rules: Rules, now: datetime) -> str:
    """Return the day in the digest's zone, from which the first one is counted."""
    zone = rules.digest.zone if rules.digest else "UTC"
    return now.astimezone(ZoneInfo(zone)).date().isoformat()


def digest_rows(
    wanted: Digest, day: str, incidents: Sequence[Incident], now: datetime, settings: Settings
) -> list[OutboxRow]:
    """Return a row a channel; the same ids in a repeat."""
    notice = digest_notice(day, incidents, now, settings)
    return [
        OutboxRow(
            id=digest("digest", day, channel),
            incident=notice.key,
            channel=channel,
            kind="digest",
            revision=0,
            payload=notice.to_json(),
            created_at=now,
            updated_at=now,
            next_attempt_at=now,
        )
        for channel in wanted.channels
    ]


def digest_notice(day: str, incidents: Sequence[Incident], now: datetime, settings: Settings) -> Notice:
    """Return what is said about the incidents of the last day and those that are still open."""
    recent = [one for one in incidents if one.last_seen >= now - PERIOD or not one.is_over]
    lasting = [one for one in recent if not one.is_over]
    opened = [one for one in recent if one.first_seen >= now - PERIOD]
    quiet = [one for one in recent if not one.announced]
    waiting = [one for one in lasting if one.state == "open"]
    counts = (
        ("opened", len(opened)),
        ("over", len(recent) - len(lasting)),
        ("still open", len(lasting)),
        ("not acknowledged", len(waiting)),
        ("told to nobody", len(quiet)),
    )
    quietly = "A quiet day." if not recent else f"{len(recent)} incidents since yesterday."
    return Notice(
        kind="digest",
        key=f"digest-{day}",
        headline=f"Digest of {day}: {len(opened)} opened, {len(lasting)} still open",
        summary=quietly,
        state="digest",
        severity="",
        facts=tuple((label, str(count)) for label, count in counts),
        table=_table(sorted(recent, key=lambda one: (one.is_over, -one.count)), now),
        links=(("Dashboard", settings.dashboard_url),),
    )


def _table(incidents: Sequence[Incident], now: datetime) -> str:
    if not incidents:
        return ""
    lines = ["| incident | state | lasted | seen |", "|---|---|---|---:|"]
    for one in incidents[:_LINES]:
        lasted = duration(((one.resolved_at or now) - one.first_seen).total_seconds())
        title = " ".join(one.title.split()).replace("|", "\\|")[:_TITLE]
        lines.append(f"| {title} | {one.state} | {lasted} | {one.count} |")
    more = len(incidents) - _LINES
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])
