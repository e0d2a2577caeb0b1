"""The workers of a rig: real processes, each behind a door of its own."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

import psutil

from contracts.settings import Settings
from local.service import RunningService, Service
from local.supervisor import Supervisor
from streaming.ingest.worker import state_file
from tests.chaos.servers import Door

# `millrace ingest` without the imports of the other commands: it starts in a third of the time.
_PROGRAM: Final = "from cli.main import main; main()"
_LEAVE_SECONDS: Final = 20.0


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until `condition` holds; return False when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)
    return True


@dataclass
class Worker:
    """One process and its door."""

    name: str
    door: Door
    process: RunningService
    settings: Settings

    @property
    def state(self) -> dict[str, object]:
        """What its state file says; empty before the first report."""
        path = state_file(self.settings, self.name)
        return dict(json.loads(path.read_text())) if path.exists() else {}

    @property
    def is_alive(self) -> bool:
        """Tell whether the process runs or is stopped."""
        return self.process.exit_code is None

    @property
    def rss_mb(self) -> float:
        """Resident memory in megabytes, 0 when it is gone."""
        try:
            return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6
        except psutil.NoSuchProcess:
            return 0.0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        if self.process.pid is not None and self.is_alive:
            psutil.Process(self.process.pid).send_signal(number)

    def reports_after(self, moment: datetime, seconds: float) -> bool:
        """Wait until it says something later than `moment` or ends; return False when it does neither."""

        def said() -> bool:
            at = self.state.get("reported_at")
            return not self.is_alive or (at is not None and datetime.fromisoformat(str(at)) > moment)

        return eventually(said, seconds)


class Team:
    """Starts workers behind free doors and knows which of them ended without being told to.

    Args:
        settings: of the workers, without the doors' ports.
        doors: one for each worker there may be.
        supervisor: starts the processes and makes sure that none outlives the rig.
    """

    def __init__(self, settings: Settings, doors: tuple[Door, ...], supervisor: Supervisor) -> None:
        self.workers: list[Worker] = []
        self.crashes: list[str] = []
        self.environment: dict[str, str] = {}
        self._settings = settings
        self._doors = doors
        self._supervisor = supervisor
        self._started = 0

    @property
    def is_full(self) -> bool:
        """Tell whether every door is taken."""
        return len(self.workers) == len(self._doors)

    def add(self) -> Worker:
        """Start one more worker."""
        taken = {worker.door.name for worker in self.workers}
        door = next(door for door in self._doors if door.name not in taken)
        self._started += 1
        name = f"worker-{self._started}"
        process = self._supervisor.start(self._service(name, door))
        self.workers.append(Worker(name, door, process, self._settings))
        return self.workers[-1]

    def pick(self, dice: Random) -> Worker:
        """Return one that has partitions if there is one; waits a little for that."""
        eventually(lambda: bool(self._busy()), _LEAVE_SECONDS)
        return dice.choice(self._busy() or self.workers)

    def kill(self, worker: Worker) -> None:
        """Kill -9."""
        self.workers.remove(worker)
        worker.process.kill()
        self._forget(worker)

    def remove(self, worker: Worker) -> int | None:
        """Send SIGTERM and return the exit code; None when it had to be killed."""
        self.workers.remove(worker)
        worker.process.ask_to_stop()
        eventually(lambda: not worker.is_alive, _LEAVE_SECONDS)
        code = worker.process.exit_code
        self._forget(worker)
        return code

    def replace_dead(self) -> None:
        """Write down which workers ended by themselves, and start others in their place."""
        for worker in [each for each in self.workers if not each.is_alive]:
            self.crashes.append(f"{worker.name} ended with code {worker.process.exit_code}: {self.last_words(worker)}")
            self.workers.remove(worker)
            self._forget(worker)
            self.add()

    def states(self) -> list[str]:
        """Return a line about each worker: who holds how many partitions, and what it waits for."""
        names = ("state", "partitions", "lag", "reason")
        return [
            f"{worker.name}: " + ", ".join(f"{name} {worker.state.get(name)!r}" for name in names)
            for worker in self.workers
        ]

    @staticmethod
    def last_words(worker: Worker) -> str:
        """Return the last line of its log."""
        return worker.process.last_line()

    def _busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.state.get("partitions")]

    def _forget(self, worker: Worker) -> None:
        self._supervisor.stop(worker.name)
        worker.door.heal()

    def _service(self, name: str, door: Door) -> Service:
        settings = self._settings
        variables = {
            "KAFKA_BROKER_URL": f"127.0.0.1:{door.kafka.port}",
            "KAFKA_TOPIC": settings.kafka_topic,
            "KAFKA_GROUP_ID": settings.kafka_group_id,
            "KAFKA_FLUSH_INTERVAL": str(settings.kafka_flush_interval),
            "KAFKA_BATCH_SIZE": str(settings.kafka_batch_size),
            "KAFKA_SESSION_TIMEOUT_MS": str(settings.kafka_session_timeout_ms),
            "CLICKHOUSE_HOST": "127.0.0.1",
            "CLICKHOUSE_PORT": str(door.clickhouse.port),
            "MILLRACE_HOME": str(settings.millrace_home),
        }
        command = (sys.executable, "-c", _PROGRAM, "ingest", "--name", name)
        return Service(name, command, ready=lambda: True, environment=variables | self.environment)
