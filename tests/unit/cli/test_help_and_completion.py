"""The help is a line a command and loads none of them; shells complete commands and options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands import COMMANDS, GROUPS
from cli.main import run
from local.paths import ROOT


def test_the_help_shows_each_command_on_one_line_below_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for title, commands in GROUPS.items():
        first = lines.index(f"{title}:") + 1
        assert [line.split()[0] for line in lines[first : first + len(commands)]] == list(commands)


def test_the_help_loads_no_command() -> None:
    program = "import sys; from cli.main import run; run(['--help']); sys.exit('clickhouse_connect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("millrace a", {"audit", "alerts", "archive"}),
        ("millrace dead-letters s", {"show"}),
        ("millrace up --o", {"--only"}),
    ],
)
def test_bash_completes_commands_and_options(line: str, expected: set[str], tmp_path: Path) -> None:
    """The script is loaded into a real bash, which is asked what it would offer."""
    program = tmp_path / "millrace"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from cli.main import main; main()" "$@"\n')
    program.chmod(0o755)
    words = line.split()
    asked = (
        f'eval "$(millrace completion bash)"; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; '
        "_millrace_completion millrace; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", asked], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == expected, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_another_shell_is_one_that_it_accepts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_MILLRACE_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_every_command_has_a_module_of_its_name() -> None:
    assert [name for name in COMMANDS if not (ROOT / "cli" / f"{name.replace('-', '_')}.py").is_file()] == []
