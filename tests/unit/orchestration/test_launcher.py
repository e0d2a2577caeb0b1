"""When the warm process is replaced, and who is known to be alive."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from orchestration import launcher
from orchestration.worker import Worker, holder, lock_path


def test_a_changed_model_is_noticed_and_what_dbt_writes_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "ROOT", tmp_path)
    model = tmp_path / "dbt_project" / "models" / "m.sql"
    made = tmp_path / "dbt_project" / "target" / "m.sql"
    for file in (model, made):
        file.parent.mkdir(parents=True)
        file.write_text("select 1")
    before = dict(launcher._modified())
    os.utime(made, ns=(1, 1))
    assert dict(launcher._modified()) == before
    os.utime(model, ns=(1, 1))
    assert dict(launcher._modified()) != before


def test_a_worker_lives_as_long_as_its_file_is_locked(tmp_path: Path) -> None:
    path = lock_path(tmp_path, "run")
    assert holder(path) is None
    path.parent.mkdir()
    with path.open("w") as file:
        file.write("4242 elsewhere")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(path) == Worker(4242, "elsewhere")
    assert holder(path) is None
