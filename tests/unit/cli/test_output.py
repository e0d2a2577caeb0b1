"""JSON for scripts, and a bar that only a terminal sees."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
import typer

from cli.commands import COMMANDS
from cli.main import make_app
from cli.output import print_json, progress_bar

# What scripts read; the other commands serve, ask, or print text that is for people.
WITH_JSON = {
    *("status", "doctor", "audit", "events", "replay", "rewind", "restore", "alerts list", "alerts simulate"),
    *("archive list", "archive run", "archive verify", "archive drop", "dead-letters list"),
}


@dataclass
class Row:
    day: date
    place: Path
    rows: int


def test_json_is_a_list_whatever_the_records_hold(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Row(date(2026, 3, 1), Path("var/x"), 3), {"day": date(2026, 3, 2)}])
    assert json.loads(capsys.readouterr().out) == [
        {"day": "2026-03-01", "place": "var/x", "rows": 3},
        {"day": "2026-03-02"},
    ]


def test_commands_that_scripts_read_have_json() -> None:
    found = set()
    for name, command in typer.main.get_command(make_app(*COMMANDS)).commands.items():
        inner = getattr(command, "commands", None) or {"": command}
        found |= {f"{name} {below}".strip() for below, leaf in inner.items() if _takes_json(leaf)}
    assert found == WITH_JSON


def _takes_json(command: typer.core.TyperCommand) -> bool:
    return any("--json" in option.opts for option in command.params)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_is_drawn_on_a_terminal_only_and_never_on_stdout(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    with progress_bar("archive") as move:
        move("writing raw.events", 3, 10)
        move("verifying raw.events", 0, 0)
    said = capsys.readouterr()
    assert said.out == ""
    assert ("verifying raw.events" in said.err) is is_terminal
