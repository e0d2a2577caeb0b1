"""Axe, which looks for accessibility faults in a page: fetched once into `.local`, by the lock file's checksum."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from local.paths import ROOT

_HERE = Path(__file__).parent
_FOLDER = ROOT / ".local" / "axe"
_SCRIPT = _FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_FILES = ("package.json", "package-lock.json")
_GRAVE = {"serious", "critical"}


@cache
def axe_script() -> str:
    """Return axe's source.

    Raises:
        AssertionError: npm cannot install it.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _SCRIPT.exists() or any((_FOLDER / name).read_bytes() != (_HERE / name).read_bytes() for name in _FILES):
            for name in _FILES:
                shutil.copy(_HERE / name, _FOLDER)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-500:]
    return _SCRIPT.read_text()


def faults(page: Page, *rules: str) -> list[tuple[str, str]]:
    """Return what the page breaks gravely of these rules, or of all: each with the first element that breaks it."""
    page.evaluate(axe_script())
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [(each["id"], each["nodes"][0]["html"]) for each in found["violations"] if each["impact"] in _GRAVE]
