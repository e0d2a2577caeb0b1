"""The questions the dashboard asks: one file of SQL each in `questions/`, with bound parameters only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "questions"
_PARAMETER: Final = re.compile(r"\{(\w+):[^}]+\}")
_KEEP: Final = re.compile(r"^-- keep: (\d+) s$", re.MULTILINE)
_SLOW: Final = re.compile(r"^-- slow$", re.MULTILINE)
_USUAL_KEEP_SECONDS: Final = 1.0
# A week's figures change little in a minute: an answer about a stretch serves for a 3,000th of it, at most so long.
# That is a second for half an hour and 7 s for six.
_LONGEST_KEEP_SECONDS: Final = 60.0
_SHARE: Final = 3_000


@dataclass(frozen=True)
class Question:
    """One question.

    Args:
        name: of its file.
        meaning: the sentence at the top of the file.
        sql: with parameters as {name:Type}.
        parameters: their names.
        keep_seconds: for how long one answer serves everybody who asks the same, at least.
        is_slow: reads so much that the others should not stand in line behind it.
    """

    name: str
    meaning: str
    sql: str
    parameters: frozenset[str]
    keep_seconds: float
    is_slow: bool = False

    def choose(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return those of `values` that the question takes."""
        return {name: values[name] for name in sorted(self.parameters)}

    def keeps(self, values: Mapping[str, object]) -> float:
        """Return for how many seconds an answer to these values serves; longer when it is about a long stretch."""
        return max(self.keep_seconds, min(self._stretch(values) / _SHARE, _LONGEST_KEEP_SECONDS))

    def _stretch(self, values: Mapping[str, object]) -> float:
        """Return the seconds of the stretch that the question is about, 0 where it is about none."""
        if "minutes" in self.parameters:
            return float(str(values["minutes"])) * 60
        begin = next((name for name in ("recent", "since") if name in self.parameters), "")
        since, until = values.get(begin), values.get("until")
        return (until - since).total_seconds() if isinstance(since, datetime) and isinstance(until, datetime) else 0.0


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
        meaning=" ".join(line for line in comments if not line.startswith("keep:") and line != "slow"),
        sql="\n".join(line for line in lines if not line.startswith("--")).strip(),
        parameters=frozenset(_PARAMETER.findall(text)),
        keep_seconds=float(keep.group(1)) if keep else _USUAL_KEEP_SECONDS,
        is_slow=bool(_SLOW.search(text)),
    )
