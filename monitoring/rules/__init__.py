"""The recording and alert rules, as Prometheus reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parent
# A block of comments and the rule below it.
_COMMENTED: Final = re.compile(r"((?:^ +#.*\n)+) +- record: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Recorded:
    """A figure that is reckoned once: its name, what it is (the comment above it), and from what."""

    name: str
    meaning: str
    expression: str


@dataclass(frozen=True)
class Alert:
    """An alert: its name, when it fires and after how long, how bad that is, what it says, and what to do."""

    name: str
    expression: str
    after: str
    severity: str
    summary: str
    runbook: str


def _rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((_FOLDER / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _meanings() -> dict[str, str]:
    found = _COMMENTED.findall((_FOLDER / "recording.yml").read_text())
    return {name: " ".join(re.sub(r"^ +# ?", "", text, flags=re.MULTILINE).split()) for text, name in found}


RECORDED: Final = tuple(
    Recorded(rule["record"], _meanings().get(rule["record"], ""), rule["expr"].strip())
    for rule in _rules("recording.yml")
)
ALERTS: Final = tuple(
    Alert(
        name=rule["alert"],
        expression=rule["expr"].strip(),
        after=rule.get("for", "0m"),
        severity=rule["labels"]["severity"],
        summary=rule["annotations"]["summary"],
        runbook=rule["annotations"]["runbook"],
    )
    for rule in _rules("alerts.yml")
)
