"""(a) This project's worker, as users start it: exactly once, its own batch size."""

from __future__ import annotations

from benchmarks.ingest.contestants import Program
from contracts.settings import Settings


class Worker:
    """`millrace ingest --until-caught-up`, once or several times.

    Args:
        workers: processes that share the partitions.
    """

    name = "worker"

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._processes: list[Program] = []

    def start(self, settings: Settings) -> list[int]:
        """Start the processes; return their ids."""
        self._processes = [
            Program(settings, "cli", "ingest", "--until-caught-up", "--name", f"bench-{number}")
            for number in range(self._workers)
        ]
        return [process.pid for process in self._processes]

    def stop(self) -> None:
        """Wait until they leave by themselves."""
        for process in self._processes:
            process.finish()
