"""Runs that start fast: each is forked from a warm process instead of a new Python that imports everything.

The stock launcher remains one line away: leave `run_launcher` out of dagster.yaml.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from dagster import DagsterInstance, DagsterRun
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

from orchestration.worker import DRAIN, cause_of_death, holder, lock_path

ROOT: Final = Path(__file__).resolve().parent.parent
# A cold start imports Dagster and dbt and may parse the project while the machine is busy.
_READY_SECONDS: Final = 120.0
_ANSWER_SECONDS: Final = 30.0
_SOURCES: Final = ("orchestration", "contracts", "dbt_project")
# What dbt and Python write themselves: a `dbt run` by hand must not replace the warm process.
_MADE: Final = {"target", "logs", "dbt_packages", "__pycache__"}
_SUFFIXES: Final = {".py", ".sql", ".yml", ".yaml", ".csv"}


class WarmLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Starts every run as a fork of a warm process that belongs to this launcher.

    The daemon and the webserver each have a launcher and so, from their first run on, a warm process.
    It is replaced when a source file changed; runs it started before go on to their end.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Dagster's is not typed
        self._inst_data = inst_data
        self._lock = threading.Lock()
        self._warm: subprocess.Popen[bytes] | None = None
        self._sources: dict[str, int] = {}

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Dagster's record of the configuration this came from."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the configuration's schema: there is nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> WarmLauncher:
        """Make a launcher from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run; returns when its process exists.

        Raises:
            DagsterLaunchFailedError: the warm process cannot start (its reason is in the daemon's log).

        """
        with self._lock:
            self._renew()
            self._ask({"run_id": context.dagster_run.run_id}, _ANSWER_SECONDS)

    def terminate(self, run_id: str) -> bool:
        """Ask the run's process to stop, whichever launcher started it; tells whether it was alive."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        worker = holder(lock_path(self._folder, run_id))
        if worker is None or not worker.pid:
            return False
        if worker.host != socket.gethostname():
            reason = f"The run's process is on {worker.host}; it can only be stopped from there."
            self._instance.report_engine_event(reason, run)
            return False
        os.kill(worker.pid, signal.SIGTERM)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Dagster's run monitoring may ask us about runs."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Tell whether the run's process lives; one that died without a word has FAILED."""
        if holder(lock_path(self._folder, run.run_id)) is not None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, cause_of_death(self._folder, run.run_id))

    def dispose(self) -> None:
        """End the warm process; it stops what it still runs."""
        with self._lock:
            if self._warm is not None:
                cast("Any", self._warm.stdin).close()
                self._warm = None

    @property
    def _folder(self) -> Path:
        return Path(self._instance.root_directory)

    def _renew(self) -> None:
        """Start a warm process if there is none, it died, or the sources changed since it started."""
        sources = dict(_modified())
        if self._warm is not None and self._warm.poll() is None:
            if sources == self._sources:
                return
            cast("Any", self._warm.stdin).write(json.dumps(DRAIN).encode() + b"\n")
        self._sources = sources
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._warm = subprocess.Popen(
            [sys.executable, "-m", "orchestration.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
            start_new_session=True,  # a Ctrl-C ends the launcher's process; ours follows it
        )
        reference = serialize_value(self._instance.get_ref())
        self._ask({"instance": reference, "folder": str(self._folder)}, _READY_SECONDS)

    def _ask(self, message: dict[str, str], seconds: float) -> None:
        warm = self._warm
        if warm is None or warm.stdin is None or warm.stdout is None:
            raise _failed("There is no warm process.")
        try:
            warm.stdin.write(json.dumps(message).encode() + b"\n")
            readable, _, _ = select.select([warm.stdout], [], [], seconds)
            if readable and warm.stdout.readline():
                return
        except BrokenPipeError:
            pass
        warm.kill()
        raise _failed("The process that starts runs has ended or does not answer; see the log above.")


def _failed(reason: str) -> DagsterLaunchFailedError:
    return DagsterLaunchFailedError(reason)  # type: ignore[no-untyped-call] # Dagster's is not typed


def _modified() -> Iterator[tuple[str, int]]:
    """Yield the time of the last change of each source file a run depends on."""
    for folder in _SOURCES:
        for path, folders, names in os.walk(ROOT / folder):
            folders[:] = [name for name in folders if name not in _MADE]
            for name in names:
                if Path(name).suffix in _SUFFIXES:
                    file = Path(path, name)
                    yield str(file), file.stat().st_mtime_ns
