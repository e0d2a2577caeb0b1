"""Where the demo's events come from, as arguments of `millrace produce` and `millrace replay`."""

from __future__ import annotations

import gzip
import json
from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import Final

from contracts.errors import UserError
from local.demo.sample import LIVE_SHARE, Cut, cut
from local.paths import ROOT

SAMPLES: Final = {
    "online-retail": ROOT / "samples" / "online-retail.csv.gz",
    "apache-access": ROOT / "samples" / "apache-access.log.gz",
}
SIMULATOR: Final = "simulator"
_SPIKE_AFTER_SECONDS: Final = 20
_SAMPLE_SECONDS: Final = 120


class Source(ABC):
    """A source of history and of live events.

    Args:
        name: as given to --source.
        truth: file in which is written what was planted.
    """

    def __init__(self, name: str, truth: Path) -> None:
        self.name = name
        self._truth = truth

    @abstractmethod
    def history(self, record: Path) -> tuple[str, ...]:
        """Return the command that loads history as fast as it goes."""

    @abstractmethod
    def live(self, record: Path) -> tuple[str, ...]:
        """Return the command that goes live, with a planted spike where there are sales; it starts now."""

    def spike_item(self) -> str:
        """Return the item with the planted spike, or nothing when none was planted."""
        return str(self._spike().get("item_id", ""))

    def spike_began(self) -> datetime | None:
        """Return when the planted spike began, or None."""
        start = self._spike().get("start")
        return datetime.fromisoformat(start) if start else None

    def _spike(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._truth.read_text()).get("spike") or {})
        except (OSError, json.JSONDecodeError):
            return {}


class Simulated(Source):
    """The simulated shop.

    Args:
        truth: as above.
        rate: live events per second.
        duration: seconds of the live phase; None is for ever.
        history_events: events of its history.
    """

    def __init__(self, truth: Path, rate: float, duration: float | None, history_events: int) -> None:
        super().__init__(SIMULATOR, truth)
        self._rate, self._duration, self._history_events = rate, duration, history_events

    def history(self, record: Path) -> tuple[str, ...]:
        """Return the command that simulates three days."""
        return (
            "produce",
            *("--history-events", str(self._history_events), "--history-days", "3", "--duration", "0"),
            *(
                "--record",
                str(record / "history"),
                "--truth",
                str(self._truth.with_name("history-truth.json")),
            ),
        )

    def live(self, record: Path) -> tuple[str, ...]:
        """Return the command that simulates the present, with late, repeated and malformed events."""
        command = (
            *("produce", "--rate", str(self._rate), "--spike-after", str(_SPIKE_AFTER_SECONDS)),
            *("--late", "0.005", "--duplicate", "0.005", "--malformed", "0.002"),
            *("--record", str(record / "live"), "--truth", str(self._truth)),
        )
        return (*command, "--duration", str(self._duration)) if self._duration else command


class Sampled(Source):
    """A real log that ships with the project: the end of it is sent live, as if it happened now.

    Args:
        name: a key of `SAMPLES`.
        truth: as above.
        rate: live rows per second at most; fewer when the log's end has to last for `duration` seconds.
        duration: seconds of the live phase; None is until the log ends.
    """

    def __init__(self, name: str, truth: Path, rate: float, duration: float | None) -> None:
        super().__init__(name, truth)
        self._rate, self._duration = rate, duration
        self._cut: Cut | None = None

    def history(self, record: Path) -> tuple[str, ...]:
        """Return the command that replays the first part of the log, moved so that it ends now."""
        sample = SAMPLES[self.name]
        self._rate = min(self._rate, _rows(sample) * LIVE_SHARE / (self._duration or _SAMPLE_SECONDS))
        self._cut = cut(sample, self._truth.parent / "sample", self._rate, _SPIKE_AFTER_SECONDS)
        return (
            *("replay", str(self._cut.history), "--format", self.name, "--speed", "max", "--shift-to-now"),
            *("--record", str(record / "history")),
        )

    def live(self, record: Path) -> tuple[str, ...]:
        """Return the command that replays the rest as if it happened now."""
        assert self._cut, "history comes first"  # noqa: S101 - a rule between two methods, not a check of input
        self._cut.write_truth(self._truth, self._rate)
        return (
            *("replay", str(self._cut.live), "--format", self.name, "--restamp", str(self._rate)),
            *("--record", str(record / "live")),
        )


def make_source(name: str, truth: Path, rate: float, duration: float | None, history_events: int) -> Source:
    """Return the source called `name`.

    Raises:
        UserError: nothing is called so; the message lists what is.
    """
    if name == SIMULATOR:
        return Simulated(truth, rate, duration, history_events)
    if name in SAMPLES:
        return Sampled(name, truth, rate, duration)
    raise UserError(f"--source: {name} is not known; there are {', '.join((SIMULATOR, *SAMPLES))}")


def _rows(sample: Path) -> int:
    with gzip.open(sample, "rb") as lines:
        return sum(1 for _ in lines)
