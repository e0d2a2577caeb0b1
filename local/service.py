"""One process of the stack: what it is, how it starts, when it is ready, how it stops."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import Permanent, UserError
from local.paths import ROOT
from local.ports import holder, is_listening


@dataclass(frozen=True)
class Service:
    """What to run and how to know that it works.

    Args:
        name: as the user sees it, and the name of its log file.
        command: the command line.
        ready: tells whether it answers; asked until it does.
        environment: variables on top of the supervisor's.
        ports: ports it will listen on; a busy one is refused by name before it starts.
        prepare: work to do before each start (configuration files, formatting).
        restart: start it again when it ends by itself.
        start_seconds, stop_seconds: how long it may take to be ready, and to leave after SIGTERM.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    prepare: Callable[[], None] | None = None
    restart: bool = True
    start_seconds: float = 240.0
    stop_seconds: float = 10.0


class RunningService:
    """A started service: its process, its log, and how to stop it with all its children.

    Args:
        service: what to run.
        logs: folder of the log files; this one's is `NAME.log`.
    """

    def __init__(self, service: Service, logs: Path) -> None:
        self.service = service
        self.log = logs / f"{service.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None before the first start."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """The exit code of a process that ended; None while it runs or before the first start."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the process in a session of its own, so that a Ctrl-C reaches the supervisor only.

        Raises:
            UserError: one of its ports is taken; the message says by whom.
        """
        for port in self.service.ports:
            if is_listening(port):
                raise UserError(
                    f"{self.service.name}: port {port} is held by {holder(port)}; "
                    "stop it or choose another port (see .env.example)"
                )
        if self.service.prepare:
            self.service.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.service.command,
                cwd=ROOT,
                env={**os.environ, **self.service.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return when the service answers.

        Raises:
            Permanent: it ended, or did not answer in time; the message holds the log's last line.
        """
        deadline = time.monotonic() + self.service.start_seconds
        while time.monotonic() < deadline:
            if self.exit_code is not None:
                raise Permanent(f"{self.service.name} ended with code {self.exit_code}: {self.last_line()}")
            if self.service.ready():
                return
            time.sleep(0.1)
        raise Permanent(
            f"{self.service.name} did not answer within {self.service.start_seconds:.0f} s: {self.last_line()}"
        )

    def last_line(self) -> str:
        """Return the last line of the log, and where the log is."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return f"{lines[-1] if lines else 'nothing in its log'} (log: {self.log})"

    def ask_to_stop(self) -> None:
        """Send SIGTERM; return at once."""
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Send SIGTERM, wait `stop_seconds`, then kill what is left of its process group."""
        if self._process is None:
            return
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self.service.stop_seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the process and everything left in its group, at once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
