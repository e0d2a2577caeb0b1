"""The limit of dead letters: a burst of bad messages stops the workers until an operator raises it."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.chaos.rig import Rig
from tests.chaos.servers import PARTITIONS
from tests.chaos.workers import eventually

_RUN: Final = "INGEST_MAX_DEAD_LETTER_RUN"
_SHARE: Final = "INGEST_MAX_DEAD_LETTER_SHARE"
_LIMIT: Final = 200
_STOP_SECONDS: Final = 30.0


def fill(rig: Rig, dice: Random) -> str:
    """Start the team anew with a low limit, send more bad messages in a row than it allows, raise it, go on."""
    _restart(rig, {_RUN: str(_LIMIT)})
    heads = rig.load.record.heads()
    assert eventually(lambda: rig.has_landed(heads), rig.tempo.patience_s)
    partition = dice.randrange(PARTITIONS)
    rig.load.burst_of_bad(_LIMIT * 5, partition)
    stopped = eventually(lambda: any(not worker.is_alive for worker in rig.team.workers), _STOP_SECONDS)
    _restart(rig, {_RUN: "1000000", _SHARE: "1"})
    if not stopped:
        rig.team.crashes.append(f"{_LIMIT * 5} bad messages in a row stopped no worker")
    return f"{_LIMIT * 5} bad in partition {partition}"


def _restart(rig: Rig, environment: dict[str, str]) -> None:
    """Stop every worker, and start as many with these variables."""
    number = len(rig.team.workers)
    for worker in list(rig.team.workers):
        rig.team.remove(worker)
    rig.team.environment = environment
    for _ in range(number):
        rig.team.add()
