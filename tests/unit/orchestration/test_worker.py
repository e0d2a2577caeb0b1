"""Why a run has no process any more."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestration.worker import cause_of_death, lock_path, note_path


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
