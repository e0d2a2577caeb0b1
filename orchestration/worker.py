"""The warm process: everything imported and parsed once, then one forked process a run.

Started by `orchestration.launcher` as `python -m orchestration.worker`. It speaks lines of JSON: the first
line in is Dagster's instance reference, every other line a run id to start; one line out answers each.
It has one thread and no open socket or database when it forks, so a child starts from a clean copy.
When its input ends (the launcher is gone) it lets the runs end, or stops them if the launcher died.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from contracts.names import NICE_TAG

if TYPE_CHECKING:
    from dagster._core.instance import InstanceRef

DRAIN = "drain"
# Dagster imports these when a run begins, 130 modules in all.
_LATE = (
    "dagster._cli.api",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.root",
    "upath.implementations.local",
)
_REAP_SECONDS = 0.5
_STOP_SECONDS = 10
_CRASHED = 70


def lock_path(folder: Path, run_id: str) -> Path:
    """Return the file that a run's process keeps locked while it lives, and in which its pid stands."""
    return folder / "workers" / f"{run_id}.lock"


def note_path(folder: Path, run_id: str) -> Path:
    """Return the file that says how a run's process died, until the run is marked as failed."""
    return folder / "workers" / f"{run_id}.died"


@dataclass(frozen=True)
class Worker:
    """A living run's process: its id, and the host (or container) where that id means something."""

    pid: int
    host: str


def holder(path: Path) -> Worker | None:
    """Return the living worker of a run, or None: the lock says so, whatever became of its process id."""
    try:
        with path.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, _, host = file.read().partition(" ")
                return Worker(int(pid or 0), host)
    except FileNotFoundError:
        pass
    return None


def cause_of_death(folder: Path, run_id: str) -> str:
    """Return why a run has no process, as its warm process found it; that one is given a moment to find out.

    Run monitoring may look between the death and its discovery.
    """
    deadline = time.monotonic() + 2 * _REAP_SECONDS
    while lock_path(folder, run_id).exists() and time.monotonic() < deadline:
        time.sleep(_REAP_SECONDS / 10)
    try:
        return note_path(folder, run_id).read_text()
    except FileNotFoundError:
        return "The run's process is gone."


class WarmProcess:
    """Starts a process a run and looks after what became of it.

    Args:
        reference: Dagster's instance, as the launcher knows it.
        folder: where the workers' lock files are.

    """

    def __init__(self, reference: InstanceRef, folder: Path) -> None:
        self._reference = reference
        self._folder = folder
        self._running: dict[int, str] = {}
        # Only this process holds the writing end: when it dies, each child reads the end of the pipe.
        self._alive_read, self._alive_write = os.pipe()

    def start(self, run_id: str) -> int:
        """Fork a process for `run_id` and return its process id."""
        path = lock_path(self._folder, run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w+")
        fcntl.flock(lock, fcntl.LOCK_EX)
        pid = os.fork()
        if pid == 0:
            lock.write(f"{os.getpid()} {socket.gethostname()}")
            lock.flush()
            self._run(lambda: _execute(run_id, self._reference))
        lock.close()  # the child's copy keeps the lock
        self._running[pid] = run_id
        return pid

    def reap(self) -> bool:
        """Collect ended processes, report those that did not end well; return whether some still run."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break  # no children at all
            if pid == 0:
                break  # none that ended
            run_id = self._running.pop(pid, None)
            if run_id is None:
                continue
            if status:
                # Before the lock goes, so that whoever looks for the process finds one or the other.
                note_path(self._folder, run_id).write_text(_reason(os.waitstatus_to_exitcode(status)))
            lock_path(self._folder, run_id).unlink(missing_ok=True)
            if status:
                self._bury(run_id)
        return bool(self._running)

    def stop(self) -> None:
        """Ask every run to end, as a click on Terminate would."""
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)

    def _bury(self, run_id: str) -> None:
        """Mark the run failed from a process of its own: this one must never open the event log."""
        if os.fork() == 0:
            self._run(lambda: _report_death(run_id, self._folder, self._reference))

    def _run(self, work: Callable[[], None]) -> NoReturn:
        """Do `work` in this new child and leave, past every exit handler of the parent."""
        code = _CRASHED
        try:
            os.close(self._alive_write)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            threading.Thread(target=_follow_parent, args=(self._alive_read,), daemon=True).start()
            work()
            code = 0
        except BaseException:
            logging.getLogger("dagster").exception("A run's process failed")
        finally:
            os._exit(code)


def _follow_parent(alive: int) -> None:
    """End this process when its parent is gone: politely first, so that the run is marked as stopped."""
    os.read(alive, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os._exit(_CRASHED)


def _execute(run_id: str, reference: InstanceRef) -> None:
    # Exactly what `dagster api execute_run` does after its imports, so a run is a run as elsewhere.
    from dagster._cli.api import _execute_run_command_body  # noqa: PLC0415 - the parent preloads it
    from dagster._core.instance import DagsterInstance  # noqa: PLC0415
    from dagster._utils.interrupts import capture_interrupts  # noqa: PLC0415

    with capture_interrupts(), DagsterInstance.from_ref(reference) as instance:
        run = instance.get_run_by_id(run_id)
        if run is not None and NICE_TAG in run.tags:
            give_way(run.tags[NICE_TAG])
        _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=False)


def give_way(tag: str) -> None:
    """Let this process, and what it asks ClickHouse for, leave the processors to others; `tag` is from 0 to 19."""
    if tag not in map(str, range(20)):
        logging.getLogger("dagster").warning(
            "the tag %s is %r, not a number from 0 to 19: no way is given", NICE_TAG, tag
        )
        return
    os.nice(int(tag))
    os.environ["CLICKHOUSE_NICE"] = tag


def _reason(code: int) -> str:
    return f"The run's process died ({f'signal {signal.Signals(-code).name}' if code < 0 else f'exit code {code}'})."


def _report_death(run_id: str, folder: Path, reference: InstanceRef) -> None:
    from dagster._core.instance import DagsterInstance  # noqa: PLC0415 - the parent preloads it

    note = note_path(folder, run_id)
    with DagsterInstance.from_ref(reference) as instance:
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, note.read_text())
    note.unlink()


def preload(reference: InstanceRef) -> None:
    """Import the definitions, dbt and Dagster's parts, parse the project; keep the collector off what is shared."""
    from dagster._serdes import ConfigurableClassData  # noqa: PLC0415 - after the process is set up

    stores = [part.module_name for part in reference if isinstance(part, ConfigurableClassData)]
    for module in (*_LATE, *stores):
        importlib.import_module(module)
    # clickhouse-connect imports pandas at a process's first insert: a second of processor time on a slow machine.
    hasattr(importlib.import_module("clickhouse_connect.driver.options"), "pd")
    definitions = importlib.import_module("orchestration.definitions")
    definitions.defs.get_repository_def()
    importlib.import_module("orchestration.resources.dbt").preload()
    gc.collect()
    gc.freeze()


def serve(commands: BinaryIO, answers: BinaryIO) -> None:
    """Answer commands until the input ends."""
    from dagster._core.instance import InstanceRef  # noqa: PLC0415 - after the process is set up
    from dagster._serdes import deserialize_value  # noqa: PLC0415

    first = json.loads(commands.readline())
    reference = deserialize_value(first["instance"], InstanceRef)
    warm = WarmProcess(reference, Path(first["folder"]))
    preload(reference)
    _say(answers, {"ready": os.getpid()})
    stopping = False
    while True:
        readable, _, _ = select.select([] if stopping else [commands], [], [], _REAP_SECONDS)
        line = commands.readline() if readable else None
        if line == b"":
            warm.stop()
            stopping = True
        elif line:
            command = json.loads(line)
            if command == DRAIN:
                stopping = True
            else:
                _say(answers, {"pid": warm.start(command["run_id"])})
        if not warm.reap() and stopping:
            return


def _say(answers: BinaryIO, message: dict[str, int]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


def main() -> None:
    """Keep the protocol apart from whatever the definitions print, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us through the launcher's end
    with os.fdopen(os.dup(1), "wb") as answers, os.fdopen(os.dup(0), "rb", buffering=0) as commands:
        os.dup2(2, 1)
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
        serve(commands, answers)


if __name__ == "__main__":
    main()
