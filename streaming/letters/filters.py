"""Which dead letters are meant: by place, or by reason, time, topic, partition and state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, get_args

from contracts.errors import UserError
from contracts.event import REJECT_REASONS

State = Literal["open", "replayed", "dropped"]
STATES: Final[tuple[str, ...]] = (*get_args(State), "all")

_PLACE: Final = re.compile(r"([A-Za-z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})", re.ASCII)
_AGO: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Place(NamedTuple):
    """Where a message lies in Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@dataclass(frozen=True)
class Filters:
    """What a dead letter must be to be meant; None leaves the point open.

    Args:
        reason: one of `contracts.event.REJECT_REASONS`.
        since: landed in `raw.dead_letters` at this moment or later.
        topic, partition: where it came from.
        state: what was done about it; "all" for any.
        limit: only the newest so many.
        places: exactly these.
    """

    reason: str | None = None
    since: datetime | None = None
    topic: str | None = None
    partition: int | None = None
    state: str = "open"
    limit: int | None = None
    places: tuple[Place, ...] = ()

    def narrows(self) -> bool:
        """Tell whether anything but the state is asked for."""
        asked = (self.reason, self.since, self.topic, self.partition, self.limit)
        return bool(self.places) or any(value is not None for value in asked)

    def where(self) -> tuple[str, dict[str, Any]]:
        """Return an SQL condition over the columns of dead letters and `state`, and its parameters."""
        tests = {
            "reason": ("error_class = {reason:String}", self.reason),
            "since": (
                "ingested_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')",
                None if self.since is None else int(self.since.timestamp() * 1000),
            ),
            "topic": ("kafka_topic = {topic:String}", self.topic),
            "partition": ("kafka_partition = {partition:UInt32}", self.partition),
            "state": ("state = {state:String}", None if self.state == "all" else self.state),
            "places": (
                "(kafka_topic, kafka_partition, kafka_offset) IN {places:Array(Tuple(String, UInt32, UInt64))}",
                list(self.places) or None,
            ),
        }
        asked = {name: test for name, test in tests.items() if test[1] is not None}
        condition = " AND ".join(sql for sql, _ in asked.values()) or "true"
        return condition, {name: value for name, (_, value) in asked.items()}


def parse_place(text: str) -> Place:
    """Return the place in TOPIC:PARTITION:OFFSET.

    Raises:
        UserError: it is not of that form.
    """
    found = _PLACE.fullmatch(text.strip())
    if found is None or int(found.group(2)) >= 2**31:
        raise UserError(f"{text!r} is no place; write TOPIC:PARTITION:OFFSET as in clickstream_topic:3:120045")
    return Place(found.group(1), int(found.group(2)), int(found.group(3)))


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """Return the moment meant by a span before `now` (90s, 30m, 2h, 3d, 1w) or an ISO 8601 time.

    A time without a zone is UTC; a message names the `option`.

    Raises:
        UserError: it is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            moment = now - timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
        else:
            moment = datetime.fromisoformat(text.strip())
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"{option} {text!r}: write a span as in 90s, 30m, 2h, 3d or 1w, or an ISO time as in 2026-01-31T12:00:00Z"
        ) from None
    return moment


def checked_reason(reason: str | None) -> str | None:
    """Return `reason` when there is such a reason.

    Raises:
        UserError: there is none.
    """
    if reason is not None and reason not in REJECT_REASONS:
        raise UserError(f"--reason {reason!r}: there are {', '.join(REJECT_REASONS)}")
    return reason


def checked_state(state: str) -> str:
    """Return `state` when there is such a state.

    Raises:
        UserError: there is none.
    """
    if state not in STATES:
        raise UserError(f"--state {state!r}: there are {', '.join(STATES)}")
    return state
