"""What reached Slack: from the stand-in's file, or, with a real token, from what the alerts' sensor remembers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from contracts.names import ITEM_SALES_CHECK
from orchestration.alerts.delivery import Ledger
from orchestration.alerts.incidents import Incident

_SENSORS = ("alerts", "run_failures")


def posted(slack_file: Path) -> list[dict[str, Any]]:
    """Return the messages and thread notes the stand-in accepted, oldest first; edits are neither."""
    if not slack_file.exists():
        return []
    calls = []
    for line in slack_file.read_text().splitlines():
        try:
            call = json.loads(line)
        except json.JSONDecodeError:  # the last line may be half written
            continue
        if call["method"] == "chat.postMessage":
            calls.append(call)
    return calls


def first_about(calls: list[dict[str, Any]], item: str, since: datetime) -> datetime | None:
    """Return when the first message from `since` on was posted whose words name `item`, or None.

    Only the words count: an item called 21866 must not be found in a time stamp.
    """
    named = re.compile(rf"(?<![\w-]){re.escape(item)}(?![\w-])")
    for call in calls:
        at = datetime.fromtimestamp(call["at"], UTC)
        if at >= since and named.search(str(call.get("text", ""))):
            return at
    return None


def told(instance: dg.DagsterInstance) -> list[Incident]:
    """Return the incidents that Dagster's sensors remember having posted; those long resolved are forgotten."""
    cursors = [
        getattr(state.instigator_data, "cursor", None)
        for state in instance.all_instigator_state()
        if state.instigator_name in _SENSORS
    ]
    return [one for cursor in cursors if cursor for one in Ledger.read(cursor).incidents if one.ts]


def announced(instance: dg.DagsterInstance) -> set[str]:
    """Return the items of the sales check that Slack was told about."""
    about_sales = [one for one in told(instance) if ITEM_SALES_CHECK in one.last.subject]
    return {item for one in about_sales for item in one.items[: one.said_items]}
