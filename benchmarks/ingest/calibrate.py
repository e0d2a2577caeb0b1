"""Find the Kafka engine's best set-up before the rounds begin: both mappings, 1, 2 and 4 consumers, block sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from benchmarks.ingest.contestants.kafka_engine import BY_BLOCK, BY_ROW, KafkaEngine, Tuning
from benchmarks.ingest.report import ENGINE, ENGINE_BY_ROW
from benchmarks.ingest.run import Stalled, Track, run

EVERY_TUNING: Final = tuple(
    Tuning(mapping, consumers, block)
    for mapping in (BY_BLOCK, BY_ROW)
    for consumers in (1, 2, 4)
    for block in (0, 65_536)
)


@dataclass(frozen=True)
class Calibration:
    """What the trials gave.

    Args:
        trials: each tuning's figures, as in the report.
        tunings: by contestant: the fastest of all, and the fastest of the documented mapping.
    """

    trials: list[dict[str, Any]]
    tunings: dict[str, Tuning]


def untried() -> Calibration:
    """Return what is taken where there is no time to try."""
    return Calibration([], {ENGINE: Tuning(BY_BLOCK, 2, 65_536), ENGINE_BY_ROW: Tuning(BY_ROW, 2, 65_536)})


def calibrate(
    track: Track, client: Client, say: Callable[[str], None], tunings: Iterable[Tuning] = EVERY_TUNING
) -> Calibration:
    """Run the engine once with each tuning over the track's topic.

    Raises:
        SystemExit: a run failed.
    """
    rates: dict[Tuning, int] = {}
    for tuning in tunings:
        try:
            rates[tuning] = run(track, KafkaEngine(client, tuning))["events_per_s"]
        except Stalled as stalled:
            say(f"trial of the Kafka engine: {tuning}: left out, {stalled}")
            continue
        say(f"trial of the Kafka engine: {tuning}: {rates[tuning]:,} events/s")
    by_row = [tuning for tuning in rates if tuning.mapping == BY_ROW]
    return Calibration(
        [{"tuning": str(tuning), "events_per_s": rate} for tuning, rate in rates.items()],
        {ENGINE: max(rates, key=rates.__getitem__), ENGINE_BY_ROW: max(by_row, key=rates.__getitem__)},
    )
