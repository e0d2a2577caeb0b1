"""Send dead letters again, each at most once, whatever dies half-way.

Before letters are sent, a `begun` row of each is written with the end of its partition; afterwards a `replayed` row.
A letter with the first and not the second may have been sent or not. The next replay of it waits until nothing of the
earlier one can arrive any more, looks for it in the topic from that end on, and sends it only when it is not there.

Two replays at the same time: each writes its `begun` rows before it looks for those of others, so at least
one of them sees the other, and that one sends nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Protocol

from contracts.clock import Clock
from contracts.errors import Permanent, RetryLater
from streaming.letters.actions import Actions, Unfinished
from streaming.letters.filters import Place
from streaming.letters.letter import Letter
from streaming.letters.sender import Sent
from streaming.letters.store import Letters, Selection
from streaming.letters.topic import TopicReader

DELIVERY_SECONDS: Final = 15.0
_SETTLED_FACTOR: Final = 2.0


class Sends(Protocol):
    """What a replay needs of a sender."""

    def send(self, letters: Sequence[Letter]) -> Sent:
        """Send the letters and wait for the answer to each."""


@dataclass
class Report:
    """What a replay did.

    Args:
        sent: letters sent and confirmed.
        found: letters that an earlier replay had sent, recorded now.
        failed: letters without a confirmation, and why; the next replay looks for them first.
        unknown: letters whose earlier replay may lie in what Kafka has deleted; they are left alone.
    """

    sent: int = 0
    found: int = 0
    failed: dict[Place, str] = field(default_factory=dict)
    unknown: list[Place] = field(default_factory=list)


@dataclass(frozen=True)
class Surroundings:
    """What a replay works with.

    Args:
        letters, actions: in ClickHouse.
        topic: reads Kafka.
        sender: writes to it.
        clock: for waits.
        say: told when the replay has to wait.
        delivery_seconds: the sender's time-out.
    """

    letters: Letters
    actions: Actions
    topic: TopicReader
    sender: Sends
    clock: Clock
    say: Callable[[str], None]
    delivery_seconds: float

    @property
    def settled_seconds(self) -> float:
        """After so long nothing of a replay that broke off can arrive any more."""
        return self.delivery_seconds * _SETTLED_FACTOR


def replay(around: Surroundings, selection: Selection) -> Report:
    """Send the letters of `selection`; those that an earlier replay sent are recorded and not sent.

    Raises:
        RetryLater: a neighbour is away, or somebody else replays the same letters; doing it again is safe.
        Permanent: a neighbour refuses, or the topic was created anew.
    """
    report = Report()
    handled = _settle(around, selection, report)
    for chunk in selection.chunks():
        places = [place for place in chunk if place not in handled]
        if places:
            _send(around, places, report)
    return report


def _send(around: Surroundings, places: list[Place], report: Report) -> None:
    batch = secrets.token_hex(8)
    letters = around.letters.read(places)
    there = [letter.place for letter in letters]
    ends = {place.partition: 0 for place in there}
    for partition in ends:
        ends[partition] = around.topic.reach(there[0].topic, partition)[1]
    began = around.clock.monotonic()
    around.actions.begin(batch, there, ends)
    rivals = around.actions.rivals(batch, there)
    # A process that was asleep since then may have been taken for dead by another replay.
    if rivals or around.clock.monotonic() - began > around.delivery_seconds:
        around.actions.release(batch, there)
        raise RetryLater(
            f"somebody else replays {rivals or 'some'} of these dead letters; {report.sent} were sent here. "
            "Run it again in a moment: nothing is sent twice"
        )
    sent = around.sender.send(letters)
    around.actions.replayed(batch, sent.went)
    report.sent += len(sent.went)
    report.failed |= sent.failed


def _settle(around: Surroundings, selection: Selection, report: Report) -> set[Place]:
    """Find out what became of replays that broke off; return the letters that must not be sent now."""
    waiting = sorted(_when_quiet(around, selection), key=lambda each: each.place)
    handled: set[Place] = set()
    for topic, group in groupby(waiting, key=lambda each: each.place.topic):
        unfinished = list(group)
        found, unknown = _look(around, topic, unfinished)
        for batch in {each.batch for each in unfinished}:
            places = [each.place for each in unfinished if each.batch == batch]
            around.actions.replayed(batch, {place: found[place] for place in places if place in found})
            around.actions.release(batch, [place for place in places if place not in found and place not in unknown])
        report.found += len(found)
        report.unknown += sorted(unknown)
        handled |= unknown | found.keys()
    return handled


def _when_quiet(around: Surroundings, selection: Selection) -> list[Unfinished]:
    """Return the selection's letters whose replay broke off, once nothing of those replays can arrive any more."""
    chosen: Collection[Place] | None = None
    while True:
        unfinished = around.actions.unfinished()
        if unfinished and chosen is None:
            chosen = set(selection.places())
        ours = [each for each in unfinished if each.place in (chosen or ())]
        left = around.settled_seconds - min((each.age for each in ours), default=around.settled_seconds)
        if left <= 0:
            return ours
        around.say(f"an earlier replay broke off, or still runs; waiting {left:.0f} s until nothing of it can arrive")
        around.clock.sleep(left)


def _look(around: Surroundings, topic: str, unfinished: list[Unfinished]) -> tuple[dict[Place, Place], set[Place]]:
    """Return where the replayed ones lie, and those of which nobody can tell any more."""
    reaches = {number: around.topic.reach(topic, number) for number in {each.place.partition for each in unfinished}}
    starts: dict[int, int] = {}
    for each in unfinished:
        number = each.place.partition
        low, high = reaches[number]
        if each.end_offset > high:
            raise Permanent(
                f"{topic}:{number} ends at {high}, but ended at {each.end_offset} when a replay began: the topic was "
                "created anew; mark its dead letters as dealt with (`millrace dead-letters drop --topic …`)"
            )
        starts[number] = max(low, min(each.end_offset, starts.get(number, each.end_offset)))
    found = around.topic.find(topic, starts, {each.place for each in unfinished})
    lost = {each.place for each in unfinished if each.end_offset < reaches[each.place.partition][0]}
    return found, lost - found.keys()
