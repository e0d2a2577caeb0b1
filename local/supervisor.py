"""Start services in order, keep them running, stop them in the opposite order."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from contracts.errors import MillraceError
from local.reaper import MARK, end_marked
from local.service import RunningService, Service

STOP_SECONDS = 14.0
_FIRST_WAIT, _LONGEST_WAIT, _HEALTHY_AFTER = 1.0, 30.0, 60.0


@dataclass
class _Restart:
    wait: float = _FIRST_WAIT
    due: float | None = None
    started: float = 0.0
    count: int = 0


class Supervisor:
    """A set of services under one mark, with a reaper that outlives it.

    Args:
        logs: folder of the services' logs.
        say: told in one line about every start, end and restart.
    """

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self.mark = uuid.uuid4().hex
        self.running: dict[str, RunningService] = {}
        self._logs = logs
        self._say = say
        self._restarts: dict[str, _Restart] = {}
        self._reaper: subprocess.Popen[bytes] | None = None

    def start(self, service: Service) -> RunningService:
        """Start one service and wait until it is ready.

        Raises:
            UserError: one of its ports is taken.
            Permanent: it ended or did not answer in time.
        """
        self._start_reaper()
        environment = {**service.environment, MARK: self.mark}
        started = RunningService(replace(service, environment=environment), self._logs)
        before = time.monotonic()
        started.start()
        self.running[service.name] = started
        self._restarts[service.name] = _Restart(started=before)
        started.wait_ready()
        self._say(f"{service.name} is ready ({time.monotonic() - before:.1f} s)")
        return started

    def tick(self) -> None:
        """Look after every service once: notice an end, start again when its back-off is over."""
        now = time.monotonic()
        for name, running in self.running.items():
            state = self._restarts[name]
            if running.exit_code is None:
                if now - state.started > _HEALTHY_AFTER:
                    state.wait = _FIRST_WAIT
                continue
            if not running.service.restart:
                continue
            if state.due is None:
                self._say(
                    f"{name} ended with code {running.exit_code}; starting it again in {state.wait:.0f} s: "
                    f"{running.last_line()}"
                )
                state.due = now + state.wait
                state.wait = min(state.wait * 2, _LONGEST_WAIT)
            elif now >= state.due:
                self._restart(running, state)

    def restarts(self, name: str) -> int:
        """Return how often the service was started again."""
        return self._restarts[name].count

    def stop(self, name: str) -> None:
        """Stop one service for good."""
        running = self.running.pop(name, None)
        if running:
            running.stop()

    def stop_all(self) -> None:
        """Stop everything within 15 s, the last started first; what does not leave in time is killed."""
        deadline = time.monotonic() + STOP_SECONDS
        for running in reversed(list(self.running.values())):
            running.ask_to_stop()
            self._wait_gone(running, min(deadline, time.monotonic() + running.service.stop_seconds))
            running.kill()
        self.running.clear()
        end_marked(self.mark, patience=0.5)
        if self._reaper and self._reaper.stdin:
            self._reaper.stdin.close()
            self._reaper.wait(15)

    def memory(self) -> dict[str, float]:
        """Return megabytes by service, each with all its children."""
        return {name: _megabytes(running.pid) for name, running in self.running.items()}

    def _restart(self, running: RunningService, state: _Restart) -> None:
        state.due = None
        state.started = time.monotonic()
        state.count += 1
        try:
            running.kill()
            running.start()
        except MillraceError as error:
            self._say(str(error))

    def _start_reaper(self) -> None:
        if self._reaper is None:
            self._reaper = subprocess.Popen(
                [sys.executable, "-m", "local.reaper", self.mark],
                stdin=subprocess.PIPE,
                start_new_session=True,
                env={key: value for key, value in os.environ.items() if key != MARK},
            )

    @staticmethod
    def _wait_gone(running: RunningService, deadline: float) -> None:
        while running.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.05)


def _megabytes(pid: int | None) -> float:
    """Return the memory of a process and all below it; a page that forked processes share counts once."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.rss)  # only Linux tells what is shared
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        return 0.0
    return round(total / 1e6, 1)
