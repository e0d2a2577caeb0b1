"""One fault after another: do it, wait until everything has landed, count, ask the audit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import polars as pl
from clickhouse_connect.driver.client import Client

from audit.audit import audit
from audit.broker import KafkaBroker
from audit.render import sentences
from contracts.clock import SystemClock
from contracts.errors import MillraceError
from tests.chaos.counts import Count, Known, compare, rows_of
from tests.chaos.faults import Fault
from tests.chaos.rig import Rig
from tests.chaos.workers import eventually

_POLL_SECONDS = 0.2


@dataclass
class Round:
    """What one fault led to.

    Args:
        fault, note: which, and what it did.
        seconds: how long the fault lasted.
        recover_s: from its end until every event sent until then, and one more in each partition, had landed.
        rows: in both tables at the end of the round.
        found: lost, doubled, extra and wrong beyond what earlier rounds had; lost is what did not land in time.
        trouble: what is to be said about it: places, workers that ended, what the audit found.
    """

    fault: str
    note: str = ""
    seconds: float = 0.0
    recover_s: float = 0.0
    rows: int = 0
    found: dict[str, int] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Tell whether nothing at all was wrong."""
        return not self.trouble and not any(self.found.values())


class Rounds:
    """Runs faults on a rig and keeps what was found.

    Args:
        rig: under load.
        seed: of everything the faults choose.

    `known` holds what was wrong at the last look; `meanwhile` is called again and again while it waits.
    """

    def __init__(self, rig: Rig, seed: int) -> None:
        self.known = Known()
        self.meanwhile: Callable[[], None] = lambda: None
        self._rig = rig
        self._dice = Random(seed)

    def run(self, faults: list[Fault]) -> Iterator[Round]:
        """Yield a round for each fault, and one more for the end of the workers."""
        for fault in faults:
            yield self.round(fault)
        yield self.end()

    def round(self, fault: Fault) -> Round:
        """Do one fault and count."""
        return self.observe(fault.name, lambda: fault.act(self._rig, self._dice))

    def end(self) -> Round:
        """Stop the load and all workers in order, then count for the last time."""
        rig = self._rig

        def leave() -> str:
            unanswered = rig.load.stop()
            target = rig.load.record.snapshot()
            self._wait(target)
            for worker in list(rig.team.workers):
                rig.team.remove(worker)
            return f"{unanswered} messages without an answer" if unanswered else ""

        return self.observe("the end: SIGTERM to all", leave, moving=False)

    def observe(self, name: str, act: Callable[[], str], *, moving: bool = True) -> Round:
        """Do `act`, wait until what was sent until then has landed, and count; `moving` when the load goes on."""
        crashes, failed = len(self._rig.team.crashes), len(self._rig.load.record.failed)
        begun = time.monotonic()
        note = act()
        ended = time.monotonic()
        target = self._next_target(moving)
        count = self._wait(target)
        found, lines = self.known.news(count)
        if found["lost"]:
            lines += self._rig.team.states()
        lines += self._rig.team.crashes[crashes:]
        lines += [f"not delivered: {text}" for text in self._rig.load.record.failed[failed:]]
        lines += audited(self._rig)
        return Round(name, note, ended - begun, time.monotonic() - ended, count.rows, found, lines)

    def _next_target(self, moving: bool) -> pl.DataFrame:
        """Return what has been acknowledged as soon as every partition has got one more event."""
        record = self._rig.load.record
        before = record.heads()
        if moving and not eventually(
            lambda: all(now > then for now, then in zip(record.heads(), before, strict=True)),
            self._rig.tempo.patience_s,
        ):
            raise MillraceError("the producer does not get on: is the broker there?")
        return record.snapshot()

    def _wait(self, target: pl.DataFrame) -> Count:
        """Count until nothing is lost that was not lost before, or patience ends; return the last count."""
        end = time.monotonic() + self._rig.tempo.patience_s
        heads = [
            int(head) + 1
            for head in target.group_by("partition").agg(pl.col("offset").max()).sort("partition")["offset"]
        ]
        while True:
            self.meanwhile()
            self._rig.team.replace_dead()
            if self._rig.has_landed(heads) or time.monotonic() >= end:
                with self._rig.client() as client:
                    count = self._count(client, target)
                if count.lost.height <= self.known.totals["lost"] or time.monotonic() >= end:
                    return count
            time.sleep(_POLL_SECONDS)

    def _count(self, client: Client, target: pl.DataFrame) -> Count:
        return compare(target, rows_of(client, self._rig.settings.kafka_topic))


def audited(rig: Rig) -> list[str]:
    """Return what `millrace audit` finds wrong, or could not prove."""
    with rig.client() as client, KafkaBroker(rig.settings, SystemClock()) as broker:
        report = audit(client, [rig.settings.kafka_topic], broker)
    return [] if report.verdict == "complete" else [f"the audit: {line}" for line in sentences(report)]
