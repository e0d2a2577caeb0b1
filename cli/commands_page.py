"""`docs/commands.md`, made from what the commands say of themselves: `python -m cli.commands_page` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer
from typer.core import TyperCommand, TyperGroup

from cli.commands import COMMANDS
from cli.main import make_app

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
_HEAD: Final = """\
# Commands

Made from the commands' own help by `make docs`; a test compares. `make setup` puts the program at
`.venv/bin/millrace`; `millrace COMMAND --help` says the same. Every command reads the [settings](settings.md). A
mistake is one line on stderr that says what to do. Exit codes: 0 done; 1 it did not work, or what was asked for is not
so (something is lost, nothing runs); 2 the command line or a setting is wrong; 130 interrupted.
"""


def render() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    program = typer.main.get_command(make_app(*COMMANDS))
    assert isinstance(program, TyperGroup)  # noqa: S101 - for the type checker: a program with commands is a group
    for name in COMMANDS:
        command = program.commands[name]
        assert isinstance(command, TyperCommand | TyperGroup)  # noqa: S101 - for the type checker: Typer makes no others
        yield _section(f"millrace {name}", command, "##")
        if isinstance(command, TyperGroup):
            for below, inner in command.commands.items():
                assert isinstance(inner, TyperCommand)  # noqa: S101 - for the type checker: groups are one deep
                yield _section(f"millrace {name} {below}", inner, "###")


def _section(name: str, command: TyperCommand | TyperGroup, level: str) -> str:
    context = typer.Context(command, info_name=name)
    records = [record for each in command.params if (record := each.get_help_record(context))]
    usage = command.get_usage(context).removeprefix("Usage:")
    text = f"{level} {name}\n\n{_plain(command.help or '')}\n\n    {' '.join(usage.split())}\n"
    if not records:
        return text
    rows = "\n".join(f"| `{_plain(names)}` | {_plain(said)} |" for names, said in records)
    return f"{text}\n| option | what it does |\n|---|---|\n{rows}\n"


def _plain(text: str) -> str:
    """Keep paragraphs, and what a table or Markdown would take for its own."""
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return "\n\n".join(part.replace("|", "\\|") for part in paragraphs)


if __name__ == "__main__":
    PAGE.write_text(render())
