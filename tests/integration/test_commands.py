"""`up`, `status`, `doctor` and `migrate` as a user meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.paths import ROOT
from local.ports import free_ports
from tests.patience import PROGRAM_SECONDS, WAIT_SECONDS

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    http, native, kafka = free_ports(3)
    own = {
        "MILLRACE_HOME": str(tmp_path),
        "CLICKHOUSE_PORT": str(http),
        "CLICKHOUSE_NATIVE_PORT": str(native),
        "KAFKA_BROKER_URL": f"localhost:{kafka}",
    }
    return os.environ | own


def millrace(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS, cwd=ROOT
    )


@pytest.fixture
def up(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`millrace up --only clickhouse`, past its last line of start."""
    command = [sys.executable, "-m", "cli", "up", "--only", "clickhouse"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert any("Ctrl-C stops everything" in line for line in process.stdout)
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def test_up_shows_in_status_and_leaves_nothing_after_ctrl_c(
    up: subprocess.Popen[str], environment: dict[str, str]
) -> None:
    report = json.loads(millrace(environment, "status", "--json").stdout)
    assert report["data"]["raw_rows"] == 0
    children = psutil.Process(up.pid).children(recursive=True)
    assert report["services"]["clickhouse"]["pid"] in {child.pid for child in children}
    began = time.monotonic()
    up.send_signal(signal.SIGINT)
    up.wait(20)
    assert time.monotonic() - began < 15
    _, left = psutil.wait_procs(children, timeout=WAIT_SECONDS)
    assert left == []
    assert millrace(environment, "status").returncode == 1


def test_a_second_stack_on_the_same_folder_is_refused(up: subprocess.Popen[str], environment: dict[str, str]) -> None:
    second = millrace(environment, "up", "--only", "clickhouse")
    assert second.returncode == 2
    assert f"process {up.pid}" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_a_stack_whose_supervisor_was_killed_leaves_nothing_and_can_start_again(
    up: subprocess.Popen[str], environment: dict[str, str]
) -> None:
    children = [
        child for child in psutil.Process(up.pid).children(recursive=True) if "local.reaper" not in child.cmdline()
    ]
    up.kill()
    up.wait()
    _, left = psutil.wait_procs(children, timeout=WAIT_SECONDS)
    assert left == []
    assert millrace(environment, "status").returncode == 1


def test_migrate_shows_first_and_applies_once(up: subprocess.Popen[str], environment: dict[str, str]) -> None:
    assert "nothing to apply" in millrace(environment, "migrate").stdout
    assert millrace(environment, "migrate", "--dry-run").returncode == 0


def test_the_doctor_says_how_to_mend_each_broken_connection(environment: dict[str, str]) -> None:
    done = millrace(environment | {"ALERT_RULES": "/no/rules.yml"}, "doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    for name in ("Kafka", "ClickHouse"):
        assert not findings[name]["works"]
        assert "millrace up" in findings[name]["remedy"]
    assert findings["Python"]["works"]
    assert "ALERT_RULES: /no/rules.yml cannot be read" in findings["Alerts"]["seen"]


@pytest.mark.parametrize("command", [["migrate"], ["status"]])
def test_a_server_that_is_not_there_is_one_line_and_no_traceback(
    command: list[str], environment: dict[str, str]
) -> None:
    done = millrace(environment, *command)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ClickHouse cannot be reached" in done.stderr + done.stdout
