"""ClickHouse away for long under load: memory stays flat, the worker stays in the group, everything lands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.chaos.rig import Rig, Tempo, rig
from tests.chaos.rounds import Round, Rounds
from tests.chaos.workers import Worker

_WARM_SECONDS: Final = 20.0
_SAMPLE_SECONDS: Final = 0.5
_SAY_SECONDS: Final = 30.0


@dataclass
class Watch:
    """What was seen of one worker.

    Args:
        members: of the group, before.
        rss_before_mb, rss_outage_mb, rss_max_mb: resident memory just before, the most while ClickHouse was away,
            and the most until everything had landed.
        trouble: when it left the group, or ended.
    """

    worker: Worker
    members: set[str]
    rss_before_mb: float = 0.0
    rss_outage_mb: float = 0.0
    rss_max_mb: float = 0.0
    trouble: list[str] = field(default_factory=list)

    def sample(self) -> None:
        """Look at its memory, and whether it lives."""
        self.rss_max_mb = max(self.rss_max_mb, self.worker.rss_mb)
        if not self.worker.is_alive and not self.trouble:
            self.trouble.append(f"{self.worker.name} ended: {self.worker.process.last_line()}")


def run(home: Path, seconds: float, rate: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Stop ClickHouse for `seconds` at `rate` events per second, start it again and wait for everything.

    Returns `minutes`, `rate`, `rss_before_mb`, `rss_outage_mb`, `rss_max_mb`, `catch_up_s`, `lost`, `doubled`,
    `trouble`, `right`.
    """
    # Catching up takes as long as the worker needs for what came meanwhile; as long again as the outage is plenty.
    tempo = Tempo(rate=rate, workers=1, doors=1, session_s=10.0, patience_s=max(120.0, seconds))
    with rig(home, tempo, seed=1) as made:
        rounds = Rounds(made, seed=1)
        watch, caught = outage(made, rounds, seconds, say)
        last = rounds.end()
    return {
        "minutes": round(seconds / 60, 2),
        "rate": rate,
        "rows": last.rows,
        "rss_before_mb": round(watch.rss_before_mb, 1),
        "rss_outage_mb": round(watch.rss_outage_mb, 1),
        "rss_max_mb": round(watch.rss_max_mb, 1),
        "catch_up_s": round(caught.recover_s, 1),
        **rounds.known.totals,
        "trouble": caught.trouble + last.trouble,
        "right": caught.is_right and last.is_right,
    }


def outage(made: Rig, rounds: Rounds, seconds: float, say: Callable[[str], None]) -> tuple[Watch, Round]:
    """Do it on a rig that runs with one worker; its trouble is the round's, too."""
    watch = Watch(made.team.workers[0], _members(made))
    _watch(watch, min(_WARM_SECONDS, seconds / 2), lambda _: None)
    watch.rss_before_mb = watch.rss_max_mb = watch.worker.rss_mb
    made.clickhouse.kill()
    try:
        _watch(watch, seconds, say)
        watch.rss_outage_mb = watch.rss_max_mb
        if _members(made) != watch.members:
            watch.trouble.append("the group's members changed while ClickHouse was away")
    finally:
        made.clickhouse.start()
    made.clickhouse.wait_ready()
    rounds.meanwhile = watch.sample
    caught = rounds.observe("outage", lambda: "")
    caught.trouble += watch.trouble
    return watch, caught


def _watch(watch: Watch, seconds: float, say: Callable[[str], None]) -> None:
    begun = said = time.monotonic()
    while time.monotonic() - begun < seconds:
        watch.sample()
        if time.monotonic() - said >= _SAY_SECONDS:
            said = time.monotonic()
            state = watch.worker.state
            say(f"  {said - begun:5.0f} s: {watch.worker.rss_mb:.0f} MB, {state.get('state')}, lag {state.get('lag')}")
        time.sleep(_SAMPLE_SECONDS)


def _members(made: Rig) -> set[str]:
    group = made.settings.kafka_group_id
    admin = AdminClient({"bootstrap.servers": made.settings.kafka_broker_url, "log_level": 0})
    try:
        described = admin.describe_consumer_groups([group])[group].result(10)
    except KafkaException:
        return set()
    return {member.member_id for member in described.members}
