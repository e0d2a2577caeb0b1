"""What reached Slack, read from the stand-in's file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def posted(slack_file: Path) -> list[dict[str, Any]]:
    """Return the messages the stand-in accepted, oldest first; edits are not messages."""
    if not slack_file.exists():
        return []
    calls = []
    for line in slack_file.read_text().splitlines():
        try:
            call = json.loads(line)
        except json.JSONDecodeError:  # the last line may be half written
            continue
        if call.get("method") == "chat.postMessage" and call.get("ok", True):
            calls.append(call)
    return calls


def first_about(calls: list[dict[str, Any]], item: str) -> datetime | None:
    """Return when the first message that names `item` was posted, or None."""
    for call in calls:
        if item in json.dumps(call):
            return datetime.fromtimestamp(float(call["at"]), UTC) if "at" in call else datetime.now(UTC)
    return None
