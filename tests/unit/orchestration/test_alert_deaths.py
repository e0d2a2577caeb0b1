"""A process that dies anywhere between a check's result and its message loses nothing and says nothing twice.

The store is the one in memory; that ClickHouse's behaves as it does, and a real kill, are in tests/integration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import Settings
from tests.alert_tools import STORY, Desk, MemoryStore, StandIn, slack_settings, slack_stand_in


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with slack_stand_in(tmp_path) as running:
        yield running


class Killed(BaseException):
    """What a process that was killed does next: nothing."""


class Dies:
    """Passes calls through to an object and kills the process before or after the nth one that changes something."""

    def __init__(self, inner: object, countdown: Callable[[], None]) -> None:
        self._inner, self._countdown = inner, countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return partial(self._call, found) if name in CHANGING else found

    def _call(self, change: Callable[..., Any], *arguments: Any) -> Any:
        self._countdown()
        answer = change(*arguments)
        self._countdown()
        return answer


CHANGING = ("write_outbox", "write_incidents", "post", "edit", "note")


def lethal(step: int) -> Callable[[], None]:
    left = iter(range(step))

    def countdown() -> None:
        if next(left, None) is None:
            raise Killed

    return countdown


def test_killed_at_any_point_between_check_and_message_nothing_is_lost_or_doubled(stand_in: StandIn) -> None:
    """At every step of the story once: the sensor's cursor did not move, so the next process sees the same again."""
    settings, step, survived = slack_settings(stand_in), 0, False
    while not survived:
        store, already = MemoryStore(), len(stand_in.calls())
        survived = _story_with_a_death(store, settings, step)
        calls = stand_in.calls()[already:]
        posts = [call for call in calls if call["method"] == "chat.postMessage" and not call.get("thread_ts")]
        notes = [call["text"] for call in calls if call.get("thread_ts")]
        assert len(posts) == 1, step
        assert len(notes) == len(set(notes)), step
        assert [call["text"] for call in calls if not call.get("thread_ts")][-1].startswith("Resolved"), step
        (incident,) = store.incidents.values()
        assert (incident.count, incident.reopened, incident.state) == (3, 1, "resolved"), step
        assert store.waiting() == [], step
        step += 1
    assert step > 20
    assert [text.split(".")[0] for text in notes] == ["Also now: i2 | ☃", "Failing again"]


def _story_with_a_death(store: MemoryStore, settings: Settings, step: int) -> bool:
    """Tell the story, dying at `step`; return whether the story was over before."""
    desk = Desk(store, settings)
    countdown = lethal(step)
    mortal = Desk(Dies(store, countdown), settings)
    mortal.channels = {name: Dies(channel, countdown) for name, channel in mortal._channels().items()}
    alive = True
    for at, observation in STORY:
        moment = at
        told = replace(observation, subject=f"check:{step}")
        while True:
            try:
                (mortal if alive else desk).tick(told, at=moment)
                break
            except Killed:
                # The next process finds what was being sent, and looks for it when it has had time to arrive.
                alive, moment = False, moment + 0.5
    desk.tick(at=60)
    desk.tick(at=120)
    return alive
