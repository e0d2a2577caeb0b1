"""Many processes may open Dagster's folder; the first opening must happen once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from local.paths import ROOT

_PREPARE = (
    "import sys; from pathlib import Path; from orchestration.home import prepare_home as p; p(Path(sys.argv[1]))"
)


def test_two_processes_that_prepare_at_once_leave_one_version_stamp(tmp_path: Path) -> None:
    """The status line and `dagster dev` opened a new folder together; nothing could open it again."""
    command = [sys.executable, "-c", _PREPARE, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    for name in ("schedules/schedules.db", "history/runs.db", "history/runs/index.db"):
        with sqlite3.connect(tmp_path / name) as database:
            assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert (tmp_path / "dagster.yaml").read_text() == (ROOT / "dagster.yaml").read_text()
