"""Why a run has no process any more."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestration.worker import cause_of_death, lock_path, note_path

# In a process of its own: what has given way once stays so.
EXECUTED = """
import os
from unittest.mock import patch

import dagster as dg
from dagster._core.test_utils import create_run_for_test

from contracts.settings import load_settings
from orchestration.worker import _execute


def execute(*_, **__):
    print(os.nice(0), load_settings().clickhouse_nice)


with dg.DagsterInstance.local_temp() as instance, patch("dagster._cli.api._execute_run_command_body", execute):
    for tags in ({}, {"millrace/nice": "much"}, {"millrace/nice": "7"}):
        _execute(create_run_for_test(instance, tags=tags).run_id, instance.get_ref())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workers").mkdir()
    return tmp_path


def test_what_the_warm_process_found_is_the_reason(folder: Path) -> None:
    note_path(folder, "r").write_text("The run's process died (signal SIGKILL).")
    assert cause_of_death(folder, "r") == "The run's process died (signal SIGKILL)."


def test_whoever_looks_before_the_warm_process_has_looked_waits_for_it(folder: Path) -> None:
    """Run monitoring sometimes came first, and the run's reason was lost."""
    lock_path(folder, "r").touch()

    def find() -> None:
        note_path(folder, "r").write_text("found")
        lock_path(folder, "r").unlink()

    timer = threading.Timer(0.1, find)
    timer.start()
    assert cause_of_death(folder, "r") == "found"
    timer.join()


@pytest.mark.parametrize("is_locked", [True, False])
def test_without_a_warm_process_nobody_knows_more_than_that_it_is_gone(folder: Path, is_locked: bool) -> None:
    if is_locked:
        lock_path(folder, "r").touch()
    assert cause_of_death(folder, "r") == "The run's process is gone."


def test_a_run_of_a_job_that_gives_way_does_so_here_and_at_clickhouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no developer's .env
    done = subprocess.run([sys.executable, "-c", EXECUTED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "0", "0", "7", "7"]
