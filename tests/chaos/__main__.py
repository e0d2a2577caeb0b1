"""`python -m tests.chaos`: the long form of the fault suite, and the long outage."""

from __future__ import annotations

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from contracts.errors import MillraceError
from local.paths import ROOT
from tests.chaos import outage
from tests.chaos.faults import FAULTS, plan
from tests.chaos.report import heading, line, summary, write
from tests.chaos.rig import Tempo, rig
from tests.chaos.rounds import Round, Rounds

# What the servers and workers of the last run said.
LOGS = ROOT / "var" / "chaos-log"


def main() -> int:
    """Run what the command line asks for; return 0 when nothing was lost, doubled or broken, else 1."""
    arguments = _arguments()
    # SIGTERM does what Ctrl-C does, and Ctrl-C works where a shell's background job has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        shutil.rmtree(LOGS, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="millrace-chaos-", ignore_cleanup_errors=True) as folder:
            try:
                return _outage(arguments, Path(folder)) if arguments.outage else _faults(arguments, Path(folder))
            finally:
                shutil.copytree(Path(folder) / "log", LOGS, dirs_exist_ok=True)
    except KeyboardInterrupt:
        _say("interrupted; everything that was started is stopped")
        return 130
    except MillraceError as error:
        _say(f"millrace: {error}")
        return 1


def _faults(arguments: argparse.Namespace, home: Path) -> int:
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**6)
    chosen = tuple(fault for fault in FAULTS if not arguments.only or arguments.only in fault.name)
    planned = plan(arguments.faults, seed, chosen)
    _say(f"seed {seed}: {len(planned)} faults at {arguments.rate:g} events/s\n{heading()}")
    rounds: list[Round] = []
    begun = time.monotonic()
    with rig(home, Tempo(rate=arguments.rate, cut_s=arguments.cut), seed) as made:
        running = Rounds(made, seed)
        try:
            for number, done in enumerate(running.run(planned), start=1):
                rounds.append(done)
                _say(line(number, done))
        finally:
            report = summary(rounds, running.known.totals, seed, time.monotonic() - begun)
            write(ROOT / "var" / "chaos.json", report)
    _say(
        f"{report['faults']} faults, {report['rows']:,} rows: lost {report['lost']}, doubled {report['doubled']} "
        f"(seed {seed}, {report['seconds']:.0f} s, var/chaos.json)"
    )
    return 0 if report["right"] else 1


def _outage(arguments: argparse.Namespace, home: Path) -> int:
    _say(f"ClickHouse down for {arguments.minutes:g} minutes at {arguments.rate:g} events/s")
    report = outage.run(home, arguments.minutes * 60, arguments.rate, _say)
    write(ROOT / "var" / "outage.json", report)
    before, during, after = (report[f"rss_{when}_mb"] for when in ("before", "outage", "max"))
    _say(
        f"lost {report['lost']}, doubled {report['doubled']}, caught up in {report['catch_up_s']} s, memory {before} "
        f"MB before, at most {during} MB while it was away and {after} MB until the end (var/outage.json)"
    )
    for text in report["trouble"]:
        _say(f"  {text}")
    return 0 if report["right"] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=50, help="number of faults")
    parser.add_argument("--seed", type=int, help="the same seed gives the same faults; random without it")
    parser.add_argument("--only", default="", help="only faults with this text in their name")
    parser.add_argument("--cut", type=float, default=30.0, help="seconds for which connections are cut")
    parser.add_argument("--rate", type=float, default=700.0, help="events per second")
    parser.add_argument("--outage", action="store_true", help="ClickHouse down for long instead of many faults")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, with --outage")
    arguments = parser.parse_args()
    if arguments.only and not any(arguments.only in fault.name for fault in FAULTS):
        parser.error(f"--only: no fault is called {arguments.only!r}; there are: {', '.join(f.name for f in FAULTS)}")
    if min(arguments.faults, arguments.cut, arguments.rate, arguments.minutes) <= 0:
        parser.error("--faults, --cut, --rate and --minutes are more than 0")
    return arguments


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
