"""What a worker says about itself, and how long it waits."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path

import pytest

from contracts.clock import ManualClock
from contracts.errors import RetryLater, SlowDown
from streaming.ingest.flight import Backoff, Flight
from streaming.ingest.health import Health


def test_a_wait_is_said_once_and_then_every_thirty_seconds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    health = Health(tmp_path / "w.json", clock)
    for _ in range(61):
        health.wait_for("ClickHouse", "refused")
        clock.sleep(1)
    assert caplog.messages == ["waiting for ClickHouse: refused"] * 3


def test_the_state_file_shows_the_wait_and_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    health = Health(tmp_path / "w.json", ManualClock())
    health.enter("running")
    health.wait_for("ClickHouse", "refused")
    found = json.loads((tmp_path / "w.json").read_text())
    assert (found["state"], found["reason"]) == ("waiting", "waiting for ClickHouse: refused")
    with caplog.at_level(logging.INFO):
        health.found("ClickHouse")
    found = json.loads((tmp_path / "w.json").read_text())
    assert (found["state"], found["reason"], caplog.messages[-1]) == ("running", "", "ClickHouse is back")
    assert [path.name for path in tmp_path.iterdir()] == ["w.json"]


def test_waits_double_with_jitter_up_to_a_cap_and_start_again() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.next(RetryLater("away")) for _ in range(12)]
    assert all(0.5 * longest <= wait <= longest for wait, longest in zip(waits, (0.1, 0.2, 0.4, 0.8), strict=False))
    assert all(2.5 <= wait <= 5.0 for wait in waits[6:])
    assert len(set(waits)) == 12
    backoff.reset()
    assert backoff.next(RetryLater("away")) <= 0.1


def test_a_neighbour_that_asks_for_a_pause_gets_it() -> None:
    assert Backoff(random.Random(1)).next(SlowDown("too many parts", 60.0)) == 60.0


def test_what_a_flight_raised_is_kept_for_the_caller() -> None:
    def fail() -> None:
        raise RetryLater("away")

    flight = Flight(fail)
    assert flight.is_done(5)
    assert isinstance(flight.error, RetryLater)
