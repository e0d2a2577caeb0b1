"""The short form of `make chaos` and of `make outage`: every kind of fault that fits in a minute."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from local.install import kafka_is_installed
from local.paths import clickhouse_library
from tests.chaos.faults import FAULTS, Fault, plan
from tests.chaos.outage import outage
from tests.chaos.report import line
from tests.chaos.rig import SHORT, Rig, rig
from tests.chaos.rounds import Rounds

pytestmark = [
    pytest.mark.clickhouse,
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.skipif(not clickhouse_library().exists(), reason="run `make setup`"),
    pytest.mark.skipif(
        os.environ.get("KAFKA") == "memory" or not kafka_is_installed(), reason="needs Java 17 and Maven"
    ),
]
SEED = int(os.environ.get("CHAOS_SEED", "1"))
# Each has a sister in the short form; the long form has them all.
LONG_ONLY = {
    "pause ClickHouse",
    "pause Kafka",
    "stop, insert done",
    "stop, insert lost",
    "kill -9, insert half done",
    "SIGTERM, insert in the network",
    "isolate a worker",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Servers, load and workers for all tests of this file, in their order."""
    with rig(tmp_path_factory.mktemp("chaos"), SHORT, SEED) as running:
        yield running


@pytest.fixture(scope="module")
def rounds(made: Rig) -> Rounds:
    """One count for all tests: each answers for what it added."""
    return Rounds(made, SEED)


def short(needs_fence: bool) -> list[Fault]:
    """The short form's faults of one sort, in the seed's order."""
    chosen = tuple(fault for fault in FAULTS if fault.needs_fence == needs_fence and fault.name not in LONG_ONLY)
    return plan(len(chosen), SEED, chosen)


def test_whatever_dies_every_offset_is_there_once(rounds: Rounds) -> None:
    for number, fault in enumerate(short(needs_fence=False), start=1):
        seen = rounds.round(fault)
        assert seen.is_right, f"seed {SEED}\n{line(number, seen)}"


def test_clickhouse_may_stay_away_and_the_worker_waits_in_its_group(made: Rig, rounds: Rounds) -> None:
    while len(made.team.workers) > 1:
        made.team.remove(made.team.workers[0])
    watch, caught = outage(made, rounds, seconds=6.0, say=lambda _: None)
    assert caught.is_right, line(1, caught)
    assert watch.rss_max_mb < 400


def test_an_insert_that_outlives_its_worker_doubles_nothing(made: Rig, rounds: Rounds) -> None:
    seen = [rounds.round(fault) for fault in short(needs_fence=True)] + [rounds.end()]
    lines = [line(number, one) for number, one in enumerate(seen, start=1)]
    assert all(one.is_right for one in seen), "\n".join([f"seed {SEED}", *lines])
