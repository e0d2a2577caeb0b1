"""A user's mistake is one line on stderr and exit code 2, never a traceback."""

from __future__ import annotations

import pytest

from cli.main import run


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
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("millrace: ")


@pytest.mark.parametrize("command", ["up", "demo", "migrate", "produce", "ingest", "doctor", "status"])
def test_a_bad_variable_stops_each_command_by_name(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", "eighty")
    assert run([command]) == 2
    assert "CLICKHOUSE_PORT" in capsys.readouterr().err
