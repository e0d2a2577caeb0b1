"""What ingest workers on this machine last wrote of themselves, for whoever shows it."""

from __future__ import annotations

import json
from typing import Any

from contracts.settings import Settings


def read_workers(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return what each worker last wrote of itself below MILLRACE_HOME, by its name."""
    states = {}
    for path in sorted((settings.millrace_home / "ingest").glob("*.json")):
        try:
            states[path.stem] = json.loads(path.read_text())
        except (OSError, json.JSONDecodeError):
            continue
    return states


def read_lag(settings: Settings) -> int:
    """Return the workers' own account of what is still in Kafka, in messages."""
    return sum(int(state.get("lag", 0)) for state in read_workers(settings).values())
