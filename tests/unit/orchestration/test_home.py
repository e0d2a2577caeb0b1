"""Many processes may open Dagster's folder; the first opening must happen once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import dagster as dg
from dagster._core.test_utils import create_run_for_test

from local.paths import ROOT
from orchestration.home import prepare_home

_PREPARE = (
    "import sys; from pathlib import Path; from orchestration.home import prepare_home as p; p(Path(sys.argv[1]))"
)


def test_two_processes_that_prepare_at_once_leave_one_version_stamp(tmp_path: Path) -> None:
    """The status line and `dagster dev` opened a new folder together; nothing could open it again."""
    command = [sys.executable, "-c", _PREPARE, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    for name in ("schedules/schedules.db", "history/runs.db", "events/event_log.db"):
        with sqlite3.connect(tmp_path / name) as database:
            assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert (tmp_path / "dagster.yaml").read_text() == (ROOT / "dagster.yaml").read_text()


def test_a_run_that_had_not_ended_when_the_log_was_made_anew_is_closed(tmp_path: Path) -> None:
    """Without its events run monitoring failed at it for ever, and the sensor waited for it for ever."""
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as before:
        run = create_run_for_test(before, job_name="marts", status=dg.DagsterRunStatus.STARTING)
    prepare_home(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
        other = create_run_for_test(instance, job_name="marts", status=dg.DagsterRunStatus.STARTING)
    prepare_home(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_run_by_id(other.run_id).status is dg.DagsterRunStatus.STARTING
