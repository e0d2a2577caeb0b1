"""CPU seconds and memory of processes, seen from outside."""

from __future__ import annotations

from collections.abc import Sequence

import psutil


class Meter:
    """Follows processes and their children; one that has ended keeps its last figures.

    Args:
        pids: the processes.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._cpu: dict[int, float] = {}
        self._at_mark = 0.0
        self.rss_bytes = 0

    def sample(self) -> None:
        """Read the processes once."""
        for root in self._roots:
            try:
                family = [root, *root.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
            resident = [self._read(process) for process in family]
            # The peak of one worker with all its processes: that is what a container's limit must hold.
            self.rss_bytes = max(self.rss_bytes, sum(resident))

    def mark(self) -> None:
        """Count CPU from here."""
        self.sample()
        self._at_mark = sum(self._cpu.values())

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds, user and system, between the mark and the last sample."""
        return sum(self._cpu.values()) - self._at_mark

    def _read(self, process: psutil.Process) -> int:
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    return 0
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
                return int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            return 0
