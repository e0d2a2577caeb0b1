"""Who runs against whom: each one moves the whole topic into `raw.events`, or only reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Protocol

from contracts.settings import Settings
from local.paths import ROOT


class Contestant(Protocol):
    """One way from the topic into `raw.events`."""

    name: str

    def start(self, settings: Settings) -> list[int]:
        """Begin with the settings' topic and group; return the ids of its own processes, if any."""

    def stop(self) -> None:
        """End it once all rows are visible; raises SystemExit when it failed."""


class Program:
    """A Python module in a process of its own, with nothing but `settings` in its environment.

    Args:
        settings: the servers, the topic and the group.
        module: the module, and its arguments.
    """

    def __init__(self, settings: Settings, module: str, *arguments: str) -> None:
        self._name = module
        self._errors = settings.millrace_home / "log" / f"{module}.log"
        self._errors.parent.mkdir(parents=True, exist_ok=True)
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=settings.millrace_home,
                env=_environment(settings),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Tell whether it is done, or failed."""
        return self._process.poll() is not None

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def finish(self, seconds: float = 60.0) -> str:
        """Wait until it ends and return what it printed.

        Raises:
            SystemExit: it failed, or does not end in time (then it is killed).
        """
        try:
            output, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise SystemExit(f"{self._name} did not end within {seconds:g} s") from None
        if self._process.returncode != 0:
            said = self._errors.read_text().strip().splitlines() or output.strip().splitlines() or ["nothing"]
            raise SystemExit(f"{self._name} ended with code {self._process.returncode} and said: {said[-1]}")
        return output


def _environment(settings: Settings) -> dict[str, str]:
    # Somebody's KAFKA_BATCH_SIZE or .env must not change what is compared.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA", "CLICKHOUSE"))}
    return inherited | {
        "KAFKA_BROKER_URL": settings.kafka_broker_url,
        "KAFKA_TOPIC": settings.kafka_topic,
        "KAFKA_GROUP_ID": settings.kafka_group_id,
        "KAFKA_FLUSH_INTERVAL": str(settings.kafka_flush_interval),
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "MILLRACE_HOME": str(settings.millrace_home),
        "PYTHONPATH": str(ROOT),
    }
