"""A command loads what it needs itself, not what the others need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.paths import ROOT


@pytest.mark.parametrize("heavy", ["dagster", "polars", "dbt", "faker"])
def test_a_worker_does_not_load_what_only_other_commands_need(heavy: str) -> None:
    program = f"import sys; from cli.main import run; run(['ingest', '--help']); sys.exit({heavy!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_status_does_not_wait_for_dagster_to_load() -> None:
    program = "import sys; from cli.main import run; run(['status', '--help']); sys.exit('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
