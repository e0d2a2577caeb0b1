"""Leave nothing running: end every process of a stack, even when its supervisor was killed.

The supervisor starts `python -m local.reaper MARK` with a pipe on its standard input. When that pipe
ends, however the supervisor ended, every process that carries the mark in its environment is told to
stop, and killed if it does not. The mark is inherited, so grandchildren in sessions of their own count.
"""

from __future__ import annotations

import os
import signal
import sys

import psutil

MARK = "MILLRACE_STACK"


def marked(mark: str) -> list[psutil.Process]:
    """Return the running processes whose environment carries `mark`, this one left out."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def end_marked(mark: str, patience: float) -> None:
    """Send SIGTERM to every marked process, and SIGKILL to those left after `patience` seconds."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 2.0)):
        left = marked(mark)
        for process in left:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=seconds)


def main() -> None:
    """Wait for the end of the standard input, then end the stack named on the command line."""
    mark = sys.argv[1]
    os.environ.pop(MARK, None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_marked(mark, patience=8.0)


if __name__ == "__main__":
    main()
