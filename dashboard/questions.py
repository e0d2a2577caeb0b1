"""The questions the dashboard asks: one file of SQL each in `questions/`, with bound parameters only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "questions"
_PARAMETER: Final = re.compile(r"\{(\w+):[^}]+\}")
_KEEP: Final = re.compile(r"^-- keep: (\d+) s$", re.MULTILINE)
_USUAL_KEEP_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Question:
    """One question.

    Args:
        name: of its file.
        meaning: the sentence at the top of the file.
        sql: with parameters as {name:Type}.
        parameters: their names.
        keep_seconds: for how long one answer serves everybody who asks the same.
    """

    name: str
    meaning: str
    sql: str
    parameters: frozenset[str]
    keep_seconds: float

    def choose(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return those of `values` that the question takes."""
        return {name: values[name] for name in sorted(self.parameters)}


@cache
def questions() -> Mapping[str, Question]:
    """Return all questions by name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.sql"))}


def _read(path: Path) -> Question:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    comments = [line.removeprefix("--").strip() for line in lines if line.startswith("-- ")]
    keep = _KEEP.search(text)
    return Question(
        name=path.stem,
        meaning=" ".join(line for line in comments if not line.startswith("keep:")),
        sql="\n".join(line for line in lines if not line.startswith("--")).strip(),
        parameters=frozenset(_PARAMETER.findall(text)),
        keep_seconds=float(keep.group(1)) if keep else _USUAL_KEEP_SECONDS,
    )
