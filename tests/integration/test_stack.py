"""The supervisor: order, restarts, busy ports, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from contracts.errors import UserError
from local.paths import ROOT
from local.reaper import marked
from local.service import RunningService, Service
from local.supervisor import Supervisor
from tests.patience import WAIT_SECONDS

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


def until(done: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def sleeper(name: str = "sleeper") -> Service:
    return Service(name=name, command=SLEEPER, ready=lambda: True)


def test_a_service_that_dies_is_started_again_after_a_back_off(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(tmp_path, said.append)
    running = supervisor.start(sleeper())
    try:
        first = running.pid
        os.kill(first, signal.SIGKILL)

        def back() -> bool:
            supervisor.tick()
            return running.pid != first and running.exit_code is None

        until(back)
        assert supervisor.restarts("sleeper") == 1
        assert any("starting it again in 1 s" in line for line in said)
    finally:
        supervisor.stop_all()


def test_stopping_leaves_no_process_even_where_a_child_made_a_session_of_its_own(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True).wait()"
    supervisor = Supervisor(tmp_path, lambda _: None)
    supervisor.start(Service(name="parent", command=(sys.executable, "-c", code, *SLEEPER), ready=lambda: True))
    until(lambda: len(marked(supervisor.mark)) >= 2)
    supervisor.stop_all()
    assert marked(supervisor.mark) == []


def test_a_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from local.service import Service; "
        "from local.supervisor import Supervisor; s = Supervisor(Path(sys.argv[1]), lambda _: None); "
        "s.start(Service(name='x', command=tuple(sys.argv[2:]), ready=lambda: True)); "
        "print(s.mark, flush=True); time.sleep(600)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), *SLEEPER], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    mark = supervisor.stdout.readline().strip()
    assert len(marked(mark)) == 1
    supervisor.kill()
    supervisor.wait()
    until(lambda: marked(mark) == [])


def test_a_busy_port_is_refused_with_the_name_of_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Service(name="web", command=SLEEPER, ready=lambda: True, ports=(port,))
        with pytest.raises(UserError, match=f"port {port} is held by process {os.getpid()}"):
            RunningService(service, tmp_path).start()


def test_services_stop_in_the_opposite_order(tmp_path: Path) -> None:
    log = tmp_path / "order"
    code = (
        "import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); "
        "open(sys.argv[2] + '.up', 'w'); signal.sigwait({signal.SIGTERM}); "
        "open(sys.argv[1], 'a').write(sys.argv[2][-1])"
    )
    supervisor = Supervisor(tmp_path, lambda _: None)
    for name in "ab":
        path = tmp_path / name
        ready = path.with_suffix(".up").exists
        supervisor.start(Service(name, (sys.executable, "-c", code, str(log), str(path)), ready))
    supervisor.stop_all()
    assert log.read_text() == "ba"
    assert not psutil.pid_exists(supervisor._reaper.pid) or supervisor._reaper.poll() is not None
