"""What commands have in common that print for people and for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def print_json(records: Iterable[Any]) -> None:
    """Print dataclasses or dictionaries as a JSON list; days and paths are texts."""
    values = [one if isinstance(one, dict) else asdict(one) for one in records]
    typer.echo(json.dumps(values, indent=2, default=str))


@contextmanager
def progress_bar(task: str, total: float | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what moves a bar on stderr: told the task, how much is done, and of how much (0: nobody knows).

    Nothing is shown where stderr is no terminal.

    Args:
        task: the bar's title until the first move.
        total: the end, until the first move; None when nobody knows.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with bar:
        shown = bar.add_task(task, total=total)

        def move(text: str, done: int, of: int) -> None:
            # A task of its own would pile up lines; one bar begins again with each step.
            bar.update(shown, description=text, completed=done, total=of or None)

        yield move
