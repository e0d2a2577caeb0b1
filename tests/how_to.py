"""The steps of a page in docs/how-to, done to a copy of the tree: files made, lines changed, commands run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.pages import DOCS, ROOT
from tests.patience import PROGRAM_SECONDS

_STEP = re.compile(r"(?:`([\w./-]+)`[^\n`]*:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LEFT_OUT = (".*", "var", "node_modules", "__pycache__", "*.egg-info", "target", "logs", "images", "*.gz")


def copy_of_the_tree(folder: Path) -> Path:
    """Copy what the tests need of the project, with the installed servers linked."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    (tree / ".local").symlink_to(ROOT / ".local")
    return tree


def files_made(page: Path) -> set[str]:
    """Return the files that a page tells people to make."""
    return {path for path, kind, _ in _STEP.findall(page.read_text()) if path and kind not in {"sh", "diff", "text"}}


def follow(page: str, tree: Path, environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """Do all that docs/how-to/`page` says; return what its commands printed, and what the page says they print.

    Raises:
        AssertionError: a changed line is not there, or a command failed.
    """
    printed, expected = "", []
    for path, kind, text in _STEP.findall((DOCS / "how-to" / page).read_text()):
        if kind == "sh":
            printed += _run(text, tree, environment)
        elif kind == "diff":
            _change(text, tree)
        elif kind == "text":
            expected.append(text)
        else:
            assert path, f"{page}: the {kind} block does not say in which file it goes"
            (tree / path).write_text(text)
    return printed, expected


def _change(diff: str, tree: Path) -> None:
    head, *lines = diff.splitlines()
    path = tree / head.removeprefix("--- ")
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
    text = path.read_text()
    assert text.count(before) == 1, f"{path.name}: not once there:\n{before}"
    path.write_text(text.replace(before, after))


def _run(commands: str, tree: Path, environment: Mapping[str, str]) -> str:
    text = commands.replace("localhost:8123", f"localhost:{environment['CLICKHOUSE_PORT']}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=tree,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_SECONDS,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout
