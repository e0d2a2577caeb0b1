"""A user's mistake is one line on stderr and exit code 2, never a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import run
from local.paths import ROOT
from local.ports import free_ports


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["produce", "--rate", "fast"],
        ["produce", "--rate", "-1"],
        ["produce", "--nonsense"],
        ["replay", "no-such-file.csv", "--format", "online-retail"],
        ["replay", "README.md", "--format", "no-such-format"],
        ["replay", "README.md", "--format", "online-retail", "--speed", "warp"],
        ["up", "--only", "kafka,nonsense"],
        ["up", "--workers", "0"],
        ["demo", "--source", "nonsense"],
        ["demo", "--duration", "soon"],
        ["ingest", "--nonsense"],
        ["migrate", "--dry-walk"],
        ["status", "extra"],
        ["doctor", "--yaml"],
        ["audit", "--topic", "no spaces"],
        ["audit", "--watch", "0"],
        ["alerts", "nonsense"],
        ["alerts", "ack"],
        ["alerts", "list", "--last", "soon"],
        ["alerts", "simulate", "nothing"],
        ["dead-letters", "nonsense"],
        ["dead-letters", "list", "--reason", "bad"],
        ["dead-letters", "list", "--since", "yesterday"],
        ["dead-letters", "list", "--state", "done"],
        ["dead-letters", "list", "--limit", "0"],
        ["dead-letters", "show", "topic:1"],
        ["dead-letters", "replay", "topic:1:x"],
        ["dead-letters", "replay", "--partition", "-1"],
        ["dead-letters", "replay"],
        ["dead-letters", "drop", "--yes"],
        ["dead-letters", "drop", "--all", "--topic", "t"],
        ["dead-letters", "drop", "t:0:1", "--topic", "t"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("millrace: ")


@pytest.mark.parametrize(
    ("arguments", "where"),
    [(["nonsense"], "millrace"), (["up", "--workers", "0"], "millrace up"), (["alerts", "ack"], "millrace alerts ack")],
)
def test_a_mistake_names_the_help_that_is_about_it(
    arguments: list[str], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.endswith(f"(see `{where} --help`)\n")


@pytest.mark.parametrize("command", ["up", "demo", "migrate", "produce", "ingest", "doctor", "status", "audit"])
def test_a_bad_variable_stops_each_command_by_name(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", "eighty")
    assert run([command]) == 2
    assert "CLICKHOUSE_PORT" in capsys.readouterr().err


def test_a_busy_metrics_port_stops_a_worker_in_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        monkeypatch.setenv("INGEST_METRICS_PORT", str(held.getsockname()[1]))
        monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
        command = [sys.executable, "-m", "cli", "ingest"]
        worker = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    (line,) = worker.stderr.splitlines()
    assert worker.returncode == 2
    assert line.startswith("millrace: INGEST_METRICS_PORT")


def test_a_clickhouse_that_is_away_is_one_line_with_its_address_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (nobody,) = free_ports(1)
    monkeypatch.setenv("CLICKHOUSE_PORT", str(nobody))
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    for arguments in (["migrate"], ["events"], ["archive", "list"], ["alerts", "list"], ["dead-letters", "list"]):
        assert run(arguments) == 1
        assert capsys.readouterr().err == (
            f"millrace: ClickHouse cannot be reached at localhost:{nobody}: nothing listens there "
            "(`millrace doctor` tests each connection and says how to mend it)\n"
        )


def test_a_path_that_cannot_be_used_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path / "file"))
    assert run(["up", "--only", "slack"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"millrace: {tmp_path / 'file'}")
    assert said.endswith("choose another path, or mend its rights\n")


def test_a_reader_that_has_enough_ends_a_command_quietly() -> None:
    program = (
        "import cli.main as program; "
        "program.make_app = lambda *_: lambda *_, **__: [print('x' * 70_000) for _ in range(100)]; program.main()"
    )
    command = f'{sys.executable} -c "{program}" | head -c 3; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (141, "xxx", "")
