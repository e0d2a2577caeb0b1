"""What a materialization of all marts costs after short and long histories: `python -m benchmarks.marts`.

Each history has a ClickHouse of its own, with the local stack's memory limit, and 250,000 events a day; then come
runs over 50,000 new events, 1 % of them up to three days late, on each history in turn: what else the machine does
meanwhile slows all of them alike. Last comes `benchmarks.live`. Prints a table and writes var/bench/marts.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.marts.run import RUNS, serve
from contracts.settings import load_settings
from streaming.produce.record import write_json

_SIZES: Final = "1000000,10000000,50000000"
_ROOT: Final = Path(__file__).parents[2]
_MARK: Final = "answer: "


def main() -> None:
    """Measure the histories, each in a process of its own, and put the figures together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", default=_SIZES, help="lengths of the histories, with commas between them")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        for answer in serve(options.one, sys.stdin):
            sys.stdout.write("\n" + _MARK + json.dumps(answer) + "\n")
            sys.stdout.flush()
        return
    load = os.getloadavg()[0]
    found = _measured([int(size) for size in options.events.split(",")])
    report = _report(found) | _live() | {"load_before": round(load, 2)}
    path = load_settings().millrace_home / "bench" / "marts.json"
    write_json(path, report)
    sys.stdout.write(_table(found) + f"\n{_summary(report)}written to {path}\n")


def _measured(sizes: list[int]) -> list[dict[str, Any]]:
    """Build one history after another, then let each in turn fold in new events."""
    with ExitStack() as stack:
        histories, found = [], []
        for size in sizes:
            histories.append(stack.enter_context(_history(size)))
            found.append(histories[-1].answer())
        rounds = [_round(histories) for _ in range(RUNS + 1)]
        # The first round warms what the others find warm.
        for one, history, *runs in zip(found, histories, *rounds[1:], strict=True):
            one.update(_of_runs(runs), **history.ask("end"))
            sys.stderr.write(f"{one['events']:,} events: a run takes {one['run_s']} s\n")
        return found


def _round(histories: list[_History]) -> list[dict[str, Any]]:
    """Let each history fold in the same number of new events; what it took is told at once, should the rest fail."""
    found = [history.ask("run") for history in histories]
    sys.stderr.write("runs: " + ", ".join(f"{one['run_s']:.2f} s" for one in found) + "\n")
    return found


def _of_runs(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "runs_s": [round(run["run_s"], 3) for run in runs],
        "run_s": round(statistics.median(run["run_s"] for run in runs), 3),
        "models_s": {
            name: round(statistics.median(run["models_s"][name] for run in runs), 3) for name in runs[0]["models_s"]
        },
    }


class _History:
    """A history in a process of its own, which answers one command at a time."""

    def __init__(self, events: int) -> None:
        command = [sys.executable, "-m", "benchmarks.marts", "--one", str(events)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=_ROOT
        )
        self._events = events

    def ask(self, command: str) -> dict[str, Any]:
        """Give a command and return its answer."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe, see above
        self.process.stdin.write(command + "\n")
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Return the next answer; what else the process prints is passed over."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe, see above
        for line in self.process.stdout:
            if line.startswith(_MARK):
                answer: dict[str, Any] = json.loads(line.removeprefix(_MARK))
                return answer
        raise SystemExit(f"the history of {self._events:,} events failed with exit code {self.process.wait()}")


@contextmanager
def _history(events: int) -> Iterator[_History]:
    history = _History(events)
    try:
        yield history
    finally:
        history.process.communicate()  # no more commands: it stops its server and ends


def _live() -> dict[str, Any]:
    """Return how far the live models are behind an insert, in seconds, and their slowest question, in milliseconds."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.live"], capture_output=True, text=True, check=False, cwd=_ROOT
    )
    if done.returncode:
        raise SystemExit(f"benchmarks.live failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    found = json.loads((_ROOT / "var" / "bench" / "live.json").read_text())
    return {"live_p95_s": found["live_p95_s"], "live_query_p95_ms": max(found["query_p95_ms"].values())}


def _report(found: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = found[0], found[-1]
    raw = last["bytes"]["raw.events"]
    marts = sum(size for table, (size, _) in last["bytes"].items() if table.startswith("intermediate."))
    return {
        "incremental_ratio_50m_vs_1m": round(last["run_s"] / first["run_s"], 3),
        "raw_bytes_per_event": round(raw[0] / raw[1], 1),
        "marts_bytes_per_event": round(marts / raw[1], 1),
        "rebuild_events_per_s": last["rebuild_events_per_s"],
        "query_p95_ms": max(last["query_p95_ms"].values()),
        "clickhouse_rss_max_mb": last["clickhouse_rss_max_mb"],
        "histories": found,
    }


def _table(found: list[dict[str, Any]]) -> str:
    lines = ["", f"{'':40}" + "".join(f"{one['events']:>14,}" for one in found)]
    rows = {
        "a run over 50,000 new events, s": "run_s",
        "ClickHouse at most in these runs, MB": "clickhouse_rss_max_mb",
        "rebuild, events/s": "rebuild_events_per_s",
        "ClickHouse at most while rebuilding, MB": "rebuild_rss_max_mb",
    }
    lines += [f"{title:40}" + "".join(f"{one[name]:>14,}" for one in found) for title, name in rows.items()]
    for model in sorted(found[-1]["models_s"], key=lambda name: -found[-1]["models_s"][name])[:12]:
        lines.append(f"  {model + ', s':38}" + "".join(f"{one['models_s'][model]:>14,.3f}" for one in found))
    for question in found[-1]["query_p95_ms"]:
        lines.append(f"  {question + ', ms':38}" + "".join(f"{one['query_p95_ms'][question]:>14,.0f}" for one in found))
    for table, (size, rows_of) in found[-1]["bytes"].items():
        lines.append(f"  {table:46}{size / 1e6:>12,.0f} MB {rows_of:>14,} rows")
    return "\n".join(lines)


def _summary(report: dict[str, Any]) -> str:
    return (
        f"the longest history against the shortest: {report['incremental_ratio_50m_vs_1m']} (target 1.3)\n"
        f"bytes an event: raw {report['raw_bytes_per_event']} (target 40), marts {report['marts_bytes_per_event']}\n"
        f"slowest question: p95 {report['query_p95_ms']} ms (target 150), "
        f"of the live ones {report['live_query_p95_ms']} ms\n"
        f"from the insert to live: p95 {report['live_p95_s']} s (target 2)\n"
    )


if __name__ == "__main__":
    main()
