"""Workers that lose their partitions in the middle of an insert, and whose insert goes on all the same.

The order is the worst there is. A worker's insert is caught on its way; the worker stops, dies, is cut off for longer
than its session, leaves, or is asked to share; the others take its partitions over, read the same offsets again and
write them in batches with other bounds, so that no token can match; then the old insert goes on, and then the worker
does. Nothing but the server can refuse that insert, because nobody else knows both sides.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Final, Literal

from tests.chaos.proxy import Place, Trap
from tests.chaos.rig import Rig
from tests.chaos.servers import PARTITIONS
from tests.chaos.workers import Worker, eventually

_CATCH_SECONDS: Final = 60.0
# How long the others may take beyond the session's end. One who waits for the old insert to end before it takes
# over would wait for ever, so the insert goes on after this whether or not it was overtaken.
_TAKEOVER_SECONDS: Final = 6.0
# A worker that is asked for partitions tries for some seconds to finish what it has in hand.
_SHARE_SECONDS: Final = 15.0
_WAKE_SECONDS: Final = 120.0
_ANSWER_SECONDS: Final = 10.0


def stop_before_the_server(rig: Rig, dice: Random) -> str:
    """SIGSTOP while the insert is in the network; the server sees it after the takeover."""
    return _stop(rig, dice, "request")


def stop_half_way(rig: Rig, dice: Random) -> str:
    """SIGSTOP while the server is busy with the insert: it has begun, and half of the rows came."""
    return _stop(rig, dice, "half")


def stop_after_the_server(rig: Rig, dice: Random) -> str:
    """SIGSTOP when the insert is done and its answer is on the way back."""
    return _stop(rig, dice, "answer")


def stop_and_lose_the_insert(rig: Rig, dice: Random) -> str:
    """SIGSTOP while the insert is in the network, where it is lost: the worker wakes up and repeats it."""
    return _stop(rig, dice, "request", lose=True)


def kill_before_the_server(rig: Rig, dice: Random) -> str:
    """Kill -9 while the insert is in the network; the server sees it after the takeover."""
    return _end(rig, dice, "request", lambda victim: victim.process.kill())


def kill_half_way(rig: Rig, dice: Random) -> str:
    """Kill -9 while the server is busy with the insert; the rest of the rows come after the takeover."""
    return _end(rig, dice, "half", lambda victim: victim.process.kill())


def leave_before_the_server(rig: Rig, dice: Random) -> str:
    """SIGTERM while the insert is in the network: the worker leaves without its answer, in order."""
    return _end(rig, dice, "request", lambda victim: victim.process.ask_to_stop())


def share_before_the_server(rig: Rig, dice: Random) -> str:
    """Let a new worker take partitions over while the insert is in the network; nobody dies."""
    if rig.team.is_full:
        rig.team.remove(rig.team.pick(dice))
    victim, trap = _caught(rig, dice, "request")
    fresh = rig.team.add()
    overtaken = eventually(lambda: bool(fresh.state.get("rows")), _SHARE_SECONDS)
    _let_go(trap)
    return _note(victim, trap, overtaken)


def isolate(rig: Rig, dice: Random) -> str:
    """Cut a worker off from both servers in the middle of an insert; what was on its way arrives late."""
    victim, trap = _caught(rig, dice, "request")
    victim.door.kafka.fall_silent()
    overtaken = _wait_for_takeover(rig)
    woken = datetime.now(UTC)
    _let_go(trap)
    victim.door.heal()
    victim.reports_after(woken, _WAKE_SECONDS)
    return _note(victim, trap, overtaken)


def _stop(rig: Rig, dice: Random, place: Place, *, lose: bool = False) -> str:
    victim, trap = _caught(rig, dice, place)
    victim.signal(signal.SIGSTOP)
    try:
        overtaken = _wait_for_takeover(rig)
        if lose:
            victim.door.clickhouse.refuse()
        _let_go(trap)
    finally:
        woken = datetime.now(UTC)
        victim.door.heal()
        victim.signal(signal.SIGCONT)
    victim.reports_after(woken, _WAKE_SECONDS)
    return _note(victim, trap, overtaken)


def _end(rig: Rig, dice: Random, place: Place, end: Callable[[Worker], None]) -> str:
    victim, trap = _caught(rig, dice, place)
    end(victim)
    try:
        overtaken = _wait_for_takeover(rig)
        _let_go(trap)
    finally:
        rig.team.kill(victim)
    rig.team.add()
    return _note(victim, trap, overtaken)


def _caught(rig: Rig, dice: Random, place: Place) -> tuple[Worker, Trap]:
    """Return a worker and the trap that holds its insert."""
    if len(rig.team.workers) == 1:
        rig.team.add()
    table: Literal["events", "dead_letters"] = dice.choice(("events", "events", "dead_letters"))
    victim = rig.team.pick(dice)
    trap = victim.door.clickhouse.set_trap(Trap(table, place))
    assert trap.caught.wait(_CATCH_SECONDS), f"{victim.name} inserted nothing into {table}"
    return victim, trap


def _wait_for_takeover(rig: Rig) -> bool:
    """Wait until others have written what the victim had in hand and a second more, or say that they did not."""
    heads = [head + int(rig.tempo.rate / PARTITIONS) for head in rig.load.record.heads()]
    return eventually(lambda: rig.has_landed(heads), rig.tempo.session_s + _TAKEOVER_SECONDS)


def _let_go(trap: Trap) -> None:
    trap.release()
    trap.over.wait(_ANSWER_SECONDS)


def _note(victim: Worker, trap: Trap, overtaken: bool) -> str:
    return f"{victim.name}, {trap.table}, {'overtaken' if overtaken else 'not overtaken'}"
