"""(d) The bound: the worker's consumer, which fetches every message and looks at none.

Run as a program it is that consumer: `python -m benchmarks.ingest.contestants.consume_only EVENTS`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Final

from confluent_kafka import Consumer

from benchmarks.ingest.contestants import Program
from contracts.settings import Settings, load_settings
from streaming.ingest.consumer import ingest_config

_CHUNK: Final = 10_000


class ConsumeOnly:
    """The consumer below, in a process of its own.

    Args:
        events: how many messages there are.
    """

    name = "consume_only"

    def __init__(self, events: int) -> None:
        self._events = events
        self._process: Program | None = None

    def start(self, settings: Settings) -> list[int]:
        """Start the process; return its id."""
        self._process = Program(settings, "benchmarks.ingest.contestants.consume_only", str(self._events))
        return [self._process.pid]

    def has_ended(self) -> bool:
        """Tell whether it has read them all, or failed."""
        return self._process is None or self._process.has_ended()

    def figures(self) -> dict[str, float]:
        """Return `wall_s` and `cpu_s` (its own) from its assignment to its last chunk."""
        if self._process is None:
            return {}
        return dict(json.loads(self._process.finish()))


def main() -> None:
    """Read as many messages as the command line says, and print the seconds it took as JSON."""
    events, settings = int(sys.argv[1]), load_settings()
    consumer = Consumer(
        ingest_config(settings, "bench")
        # The worker knows its offsets from ClickHouse; and signs of the end are no messages.
        | {"auto.offset.reset": "earliest", "enable.partition.eof": False}
    )
    began: list[tuple[float, float]] = []

    def on_assign(*_: object) -> None:
        began.append((time.monotonic(), time.process_time()))

    consumer.subscribe([settings.kafka_topic], on_assign=on_assign)
    read = 0
    while read < events:
        read += len(consumer.consume(_CHUNK, 0.1))
    wall, cpu = began[0]
    figures = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
    sys.stdout.write(json.dumps(figures))
    consumer.close()


if __name__ == "__main__":
    main()
