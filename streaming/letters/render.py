"""Dead letters for people, safe on a terminal, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from streaming.letters.actions import Action
from streaming.letters.letter import Group, Letter
from streaming.letters.replay import Report
from streaming.letters.text import excerpt, is_text, readable, safe, shortened, table

_ERROR_CELLS: Final = 70
_EXCERPT_CELLS: Final = 40
_PARTITIONS_CELLS: Final = 24


def groups_text(groups: Sequence[Group]) -> str:
    """Return a table with a line for each group; times are UTC."""
    rows = [
        (
            group.topic, group.reason, f"{group.count:,}", _time(group.first), _time(group.last),
            shortened(",".join(map(str, group.partitions)), _PARTITIONS_CELLS), str(group.example),
            shortened(safe(group.text), _ERROR_CELLS),
        )
        for group in groups
    ]  # fmt: skip
    header = ("topic", "reason", "count", "first seen (UTC)", "last seen (UTC)", "partitions", "newest", "its error")
    return table(header, rows)


def letters_text(letters: Sequence[Letter]) -> str:
    """Return a table with a line for each letter; times are UTC."""
    rows = [
        (
            str(letter.place), _time(letter.landed_at), letter.reason, _state(letter), f"{letter.size or 0:,}",
            excerpt(letter.payload, _EXCERPT_CELLS), shortened(safe(letter.text), _ERROR_CELLS),
        )
        for letter in letters
    ]  # fmt: skip
    return table(("place", "landed (UTC)", "reason", "state", "bytes", "payload", "error"), rows)


def letter_text(letter: Letter, history: Sequence[Action], landed_as: str | None) -> str:
    """Return everything about one letter.

    Args:
        letter: with its whole payload.
        history: what was done about it.
        landed_as: what the replayed message became, None when it is not in raw yet.
    """
    size = "null" if letter.payload is None else f"{letter.size:,} bytes"
    kind = "" if letter.payload is None or is_text(letter.payload) else ", not text"
    lines = [
        f"place     {letter.place}",
        f"reason    {letter.reason}: {safe(letter.text)}",
        f"sent      {_time(letter.sent_at, 'milliseconds')} UTC (Kafka's time stamp)",
        f"landed    {_time(letter.landed_at, 'milliseconds')} UTC",
        f"state     {_state(letter)}{_outcome(letter, landed_as)}",
        *(f"history   {_time(step.at)} {step.action}{_went(step)}, batch {safe(step.batch)}" for step in history),
        f"key       {excerpt(letter.key, 200)}",
        *(f"header    {safe(name)}: {excerpt(value, 200)}" for name, value in letter.headers),
        f"payload   {size}{kind}",
    ]
    if letter.payload:
        lines += ["", readable(letter.payload)]
    return "\n".join(lines)


def done_text(letter: Letter) -> str:
    """Return a line on a letter that was named and is left alone."""
    return f"{letter.place} is left alone: it was {_state(letter)} before"


def report_text(report: Report) -> str:
    """Return what a replay did, a line for each kind of outcome."""
    lines = [f"replayed {report.sent:,} dead letters"]
    if report.found:
        lines.append(f"{report.found:,} had got through before, in a replay that broke off; they were not sent again")
    if report.failed:
        place, why = next(iter(report.failed.items()))
        lines.append(f"{len(report.failed):,} were not confirmed, {place} for one ({safe(why)}); run it again")
    if report.unknown:
        lines.append(
            f"{len(report.unknown):,} are left alone, {report.unknown[0]} for one: an earlier replay of them broke "
            "off, and Kafka has deleted where they would lie; look for them in raw.events, then drop them"
        )
    return "\n".join(lines)


def group_values(group: Group) -> dict[str, Any]:
    """Return a group for JSON; times are ISO 8601 in UTC."""
    return {
        "topic": group.topic,
        "reason": group.reason,
        "count": group.count,
        "first_seen": group.first.isoformat(),
        "last_seen": group.last.isoformat(),
        "partitions": list(group.partitions),
        "example": {"place": str(group.example), "error": group.text},
    }


def letter_values(letter: Letter) -> dict[str, Any]:
    """Return a list's letter for JSON; bytes that are no UTF-8 are escaped."""
    return {
        "place": str(letter.place),
        "reason": letter.reason,
        "error": letter.text,
        "sent_at": letter.sent_at.isoformat(),
        "landed_at": letter.landed_at.isoformat(),
        "state": letter.state,
        "went_to": str(letter.went_to) if letter.went_to else None,
        "bytes": None if letter.payload is None else letter.size,
        "excerpt": None if letter.payload is None else excerpt(letter.payload, 120),
    }


def _time(moment: datetime, precision: str = "seconds") -> str:
    return moment.replace(tzinfo=None).isoformat(" ", precision)


def _state(letter: Letter) -> str:
    return f"replayed to {letter.went_to}" if letter.went_to else letter.state


def _outcome(letter: Letter, landed_as: str | None) -> str:
    if letter.went_to is None:
        return ""
    words = {"event": ", where it is an event", "dead letter": ", where it is a dead letter again"}
    return words.get(landed_as or "", ", which ingest has not written yet")


def _went(step: Action) -> str:
    return f" to {step.went_to}" if step.went_to else ""
