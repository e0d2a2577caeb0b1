"""What goes wrong: each fault does its harm to a rig, undoes it, and says in a few words what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.chaos import letters, zombies
from tests.chaos.proxy import Trap
from tests.chaos.rig import Rig
from tests.chaos.servers import Door
from tests.chaos.workers import eventually

_CATCH_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Args:
        name: in the table.
        act: does it, and returns a note for the table; the rig is whole again afterwards.
        needs_fence: only epochs that the server checks keep it from doubling.
    """

    name: str
    act: Callable[[Rig, Random], str]
    needs_fence: bool = False


def kill_worker(rig: Rig, dice: Random) -> str:
    """Kill -9 a worker and start a new one."""
    victim = rig.team.pick(dice)
    rig.team.kill(victim)
    return f"{victim.name}, then {rig.team.add().name}"


def kill_clickhouse(rig: Rig, _: Random) -> str:
    """Kill -9 ClickHouse and start it again."""
    rig.restart(rig.clickhouse)
    return ""


def kill_kafka(rig: Rig, _: Random) -> str:
    """Kill -9 Kafka and start it again."""
    rig.restart(rig.kafka)
    return ""


def pause_clickhouse(rig: Rig, _: Random) -> str:
    """SIGSTOP ClickHouse for a while: a server too slow to answer."""
    rig.pause(rig.clickhouse, rig.tempo.pause_s)
    return f"{rig.tempo.pause_s:g} s"


def pause_kafka(rig: Rig, _: Random) -> str:
    """SIGSTOP Kafka for a while."""
    rig.pause(rig.kafka, rig.tempo.pause_s)
    return f"{rig.tempo.pause_s:g} s"


def cut_clickhouse(rig: Rig, dice: Random) -> str:
    """Cut workers' connections to ClickHouse."""
    return _cut(rig, dice, "clickhouse")


def cut_kafka(rig: Rig, dice: Random) -> str:
    """Cut workers' connections to Kafka."""
    return _cut(rig, dice, "kafka")


def _cut(rig: Rig, dice: Random, server: str) -> str:
    """Refuse, or fall silent, for one worker or for all of them."""
    hit = rig.team.workers if dice.random() < 0.5 else [rig.team.pick(dice)]
    silent = dice.random() < 0.5
    doors: list[Door] = [worker.door for worker in hit]
    for door in doors:
        proxy = getattr(door, server)
        (proxy.fall_silent if silent else proxy.refuse)()
    time.sleep(rig.tempo.cut_s)
    for door in doors:
        door.heal()
    who = "all" if len(hit) > 1 else hit[0].name
    return f"{who}, {'silent' if silent else 'refused'}, {rig.tempo.cut_s:g} s"


def break_answers(rig: Rig, dice: Random) -> str:
    """Break the answers of three inserts in a row after the server has done them.

    clickhouse-connect repeats a broken request by itself; the third one reaches the worker's own back-off.
    """
    return _break(rig, dice, Trap(place="answer", cuts=3))


def halve_inserts(rig: Rig, dice: Random) -> str:
    """Deliver half of an insert and hang up, three times in a row."""
    return _break(rig, dice, Trap(place="half", cuts=3))


def _break(rig: Rig, dice: Random, trap: Trap) -> str:
    trap.table = dice.choice(("events", "dead_letters"))
    victim = rig.team.pick(dice)
    victim.door.clickhouse.set_trap(trap)
    done = eventually(lambda: trap.cuts <= 0, _CATCH_SECONDS)
    victim.door.heal()
    return f"{victim.name}, {trap.table}" + ("" if done else f", {trap.cuts} of 3 not reached")


def add_worker(rig: Rig, dice: Random) -> str:
    """Start one more worker; a full team first loses one in order."""
    note = remove_worker(rig, dice) + "; " if rig.team.is_full else ""
    return f"{note}{rig.team.add().name} joins"


def remove_worker(rig: Rig, dice: Random) -> str:
    """Remove a worker by SIGTERM; the last but one is replaced first."""
    note = f"{rig.team.add().name} joins; " if len(rig.team.workers) <= 2 and not rig.team.is_full else ""
    victim = rig.team.pick(dice)
    code = rig.team.remove(victim)
    if code != 0:
        rig.team.crashes.append(f"{victim.name} left with code {code} after SIGTERM")
    return f"{note}{victim.name} leaves"


FAULTS: Final = (
    Fault("kill -9 a worker", kill_worker),
    Fault("kill -9 ClickHouse", kill_clickhouse),
    Fault("kill -9 Kafka", kill_kafka),
    # A rebalance may come meanwhile: whoever gives partitions away then has an insert on its way.
    Fault("pause ClickHouse", pause_clickhouse, needs_fence=True),
    Fault("cut ClickHouse", cut_clickhouse, needs_fence=True),
    Fault("pause Kafka", pause_kafka),
    Fault("cut Kafka", cut_kafka),
    Fault("break answers", break_answers),
    Fault("half an insert", halve_inserts),
    Fault("add a worker", add_worker),
    Fault("remove a worker", remove_worker),
    Fault("fill the dead letters", letters.fill),
    Fault("stop, insert in the network", zombies.stop_before_the_server, needs_fence=True),
    Fault("stop, insert half done", zombies.stop_half_way, needs_fence=True),
    Fault("stop, insert done", zombies.stop_after_the_server, needs_fence=True),
    Fault("stop, insert lost", zombies.stop_and_lose_the_insert, needs_fence=True),
    Fault("kill -9, insert in the network", zombies.kill_before_the_server, needs_fence=True),
    Fault("kill -9, insert half done", zombies.kill_half_way, needs_fence=True),
    Fault("SIGTERM, insert in the network", zombies.leave_before_the_server, needs_fence=True),
    Fault("share, insert in the network", zombies.share_before_the_server, needs_fence=True),
    Fault("isolate a worker", zombies.isolate, needs_fence=True),
)


def plan(number: int, seed: int, faults: tuple[Fault, ...] = FAULTS) -> list[Fault]:
    """Return so many faults in random order, every kind as often as the others give or take one."""
    dice = Random(seed)
    planned: list[Fault] = []
    while len(planned) < number:
        planned += dice.sample(faults, len(faults))
    return planned[:number]
