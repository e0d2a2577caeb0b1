"""Stop a worker whose messages are not events: a broken producer is not a million bad events."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.errors import Permanent
from contracts.settings import Settings
from streaming.ingest.records import Partition

# The share is judged over so many messages at least; fewer say nothing about a producer.
WINDOW: Final = 20_000


@dataclass(frozen=True)
class Refusals:
    """Which messages of a chunk were no events, those that are stored as dead letters already included.

    Args:
        messages: how many the chunk has.
        marks: for each partition and each of its messages in their order, whether it was refused; one False
            stands for all messages of a partition that has only events.
        reasons: how many for each reason.
        example: what was wrong with the last one.
    """

    messages: int = 0
    marks: Mapping[Partition, Sequence[bool]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    example: str = ""

    @property
    def number(self) -> int:
        """How many were refused."""
        return self.reasons.total()


class LetterLimit:
    """Watches what one worker reads: runs within each partition, and the share of all.

    A worker that starts again reads again from the highest offset in `raw.events`, and dead letters beyond it
    count although they are stored already. So it stops at the same place, and a supervisor that keeps starting
    it fills no table. The share's window begins anew with the process.

    Args:
        run: this many dead letters in one partition without an event between them are too many; 0 allows any
            number.
        share: a larger share of the last 20,000 messages is too much; 0 allows any share.
    """

    def __init__(self, run: int, share: float) -> None:
        self._most = run
        self._share = share
        self._runs: dict[Partition, int] = {}
        self._window: deque[Refusals] = deque()
        self._seen = 0
        self._refused = 0

    @classmethod
    def of(cls, settings: Settings) -> LetterLimit:
        """Return the limit that the settings ask for."""
        return cls(settings.ingest_max_dead_letter_run, settings.ingest_max_dead_letter_share)

    def check(self, refusals: Refusals) -> None:
        """Take the next chunk into account.

        Raises:
            Permanent: the limit is crossed; the chunk is not to be written.
        """
        self._remember(refusals)
        for partition, marks in refusals.marks.items():
            longest = self._longest_run(partition, marks)
            if self._most and longest >= self._most:
                what = f"{longest} messages in a row of {partition}"
                raise Permanent(self._explain(what, "INGEST_MAX_DEAD_LETTER_RUN"))
        if self._share and self._seen >= WINDOW and self._refused > self._share * self._seen:
            what = f"{self._refused} of the last {self._seen} messages"
            raise Permanent(self._explain(what, "INGEST_MAX_DEAD_LETTER_SHARE"))

    def _remember(self, refusals: Refusals) -> None:
        self._window.append(refusals)
        self._seen += refusals.messages
        self._refused += refusals.number
        while self._seen - self._window[0].messages >= WINDOW:
            oldest = self._window.popleft()
            self._seen -= oldest.messages
            self._refused -= oldest.number

    def _longest_run(self, partition: Partition, marks: Sequence[bool]) -> int:
        """Return the longest run that reaches into these messages, and carry over the one that goes on."""
        longest = run = self._runs.get(partition, 0)
        for refused in marks:
            run = run + 1 if refused else 0
            longest = max(longest, run)
        self._runs[partition] = run
        return longest

    def _explain(self, what: str, setting: str) -> str:
        reasons: Counter[str] = Counter()
        for refusals in self._window:
            reasons.update(refusals.reasons)
        reason, number = reasons.most_common(1)[0]
        example = next(each.example for each in reversed(self._window) if each.example)
        return (
            f"{what} cannot be events, {number / reasons.total():.0%} of them {reason} (such as: {example[:120]}); "
            f"look with `millrace dead-letters list`, mend the producer, or raise {setting} to take them all"
        )
