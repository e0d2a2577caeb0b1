"""What the page's address says: the filters, checked, and the parameters that questions get from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

RANGES: Final[Mapping[str, tuple[str, timedelta]]] = {
    "30m": ("last 30 minutes", timedelta(minutes=30)),
    "1h": ("last hour", timedelta(hours=1)),
    "6h": ("last 6 hours", timedelta(hours=6)),
    "24h": ("last 24 hours", timedelta(hours=24)),
    "7d": ("last 7 days", timedelta(days=7)),
    "30d": ("last 30 days", timedelta(days=30)),
    "90d": ("last 90 days", timedelta(days=90)),
    "1y": ("last year", timedelta(days=366)),
    "all": ("all there is", timedelta(days=36_525)),
}
LIVE_RANGES: Final = ("30m", "1h", "6h")
# An empty value means: whatever it is. This word means: the clients sent none.
NONE: Final = "(none)"
# Of a download.
MOST_ROWS: Final = 100_000
_LONGEST: Final = 500
_POINTS: Final = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=12), timedelta(days=1))
_MOST_POINTS: Final = 200
_STEP, _LONG_STEP, _LONG = timedelta(minutes=1), timedelta(minutes=10), timedelta(days=1)
_RECENT: Final = timedelta(days=7)
_FIRST: Final = datetime(1971, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Filters:
    """The filters of one look at a page.

    Args:
        values: what the address says, by name; a filter that is not set is not there.
        now: the moment of the look.
        ranges: that the page offers, the longest last.
        default_range: where the address names none.
        notes: what could not be understood, in sentences for the page.
    """

    values: Mapping[str, str]
    now: datetime
    ranges: tuple[str, ...] = tuple(RANGES)
    default_range: str = "7d"
    notes: tuple[str, ...] = field(default=())

    def get(self, name: str) -> str:
        """Return a filter's value, empty when it is not set."""
        return self.values.get(name, "")

    @property
    def range(self) -> str:
        """The chosen stretch of time, one of the page's; where another page's is longer, the longest."""
        asked = self.get("range") or self.default_range
        return asked if asked in self.ranges else self.ranges[-1]

    @property
    def until(self) -> datetime:
        """The end of the stretch: the next full minute, or ten minutes where it is days, so that looks ask alike."""
        step = _STEP if RANGES[self.range][1] < _LONG else _LONG_STEP
        return self.now + step - (self.now - _FIRST) % step

    @property
    def since(self) -> datetime:
        """The begin of the stretch."""
        return max(self.until - RANGES[self.range][1], _FIRST)

    @property
    def point(self) -> timedelta:
        """How long a point of a chart stands for, so that there are 200 at most in what is not all there is."""
        length = self.until - self.since
        return next((each for each in _POINTS if length / each <= _MOST_POINTS), _POINTS[-1])

    def parameters(self) -> dict[str, object]:
        """Return what questions may take, by name."""
        chosen: dict[str, object] = {"since": self.since, "until": self.until, "limit": 50}
        # Where a longer stretch would cost too much; the same for all of them, so that their looks ask alike.
        chosen["recent"] = max(self.since, self.until - _RECENT)
        chosen["minutes"] = min(int((self.until - self.since).total_seconds() // 60), 360)
        for name in ("device", "country", "type", "category", "item", "funnel", "experiment", "user", "metric"):
            value = self.get(name)
            chosen[name] = "" if value == NONE else value
            chosen[f"any_{name}"] = int(not value)
        chosen["point"] = int(self.point.total_seconds())
        chosen["order"] = self.get("order")
        chosen["kind"] = self.get("kind") or "page"
        chosen["step"] = int(self.get("step") or 1)
        chosen["day"] = self.get("day")
        return chosen

    def address(self, path: str, **changes: str | int | None) -> str:
        """Return `path` with these filters, some of them changed; None takes one away."""
        wanted = dict(self.values) | {name: str(value) for name, value in changes.items() if value is not None}
        kept = {name: value for name, value in wanted.items() if value and changes.get(name, value) is not None}
        return f"{path}?{urlencode(kept)}" if kept else path


def read_filters(query: Mapping[str, str], now: datetime, ranges: tuple[str, ...], default_range: str) -> Filters:
    """Return the filters of an address; what is not allowed is left out, with a sentence that says so.

    Args:
        query: the address's parameters.
        now: the moment of the look.
        ranges: that the page offers, the longest last.
        default_range: where the address names none.
    """
    notes: list[str] = []
    values = {name: value.strip()[:_LONGEST] for name, value in query.items() if value.strip()}
    values = {name: value.replace("\0", "") for name, value in values.items()}
    asked = values.get("range")
    if asked is not None and asked not in RANGES:
        notes.append(f"There is no range {asked!r}; there are {', '.join(ranges)}.")
        del values["range"]
    step = values.get("step", "1")
    if not (step.isascii() and step.isdigit() and 1 <= int(step) <= 100):  # noqa: PLR2004 - more than any funnel has
        notes.append(f"There is no step {step!r}.")
        del values["step"]
    return Filters(values, now, ranges, default_range, tuple(notes))


def at(filters: Filters, **changes: str) -> Filters:
    """Return the filters with some values changed."""
    return replace(filters, values={**filters.values, **changes})
