"""`millrace completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

# Typer offers these scripts only through an option that guesses the shell it was started from.
from typer._completion_shared import get_completion_script


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Print the script that lets the Tab key complete commands and options in a shell.

    In bash and zsh: eval "$(millrace completion bash)", in ~/.bashrc or ~/.zshrc (after compinit) to keep it.
    In fish: millrace completion fish > ~/.config/fish/completions/millrace.fish
    """
    script = get_completion_script(prog_name="millrace", complete_var="_MILLRACE_COMPLETE", shell=shell)
    typer.echo(script.removeprefix("#compdef millrace").strip())
