"""What reached Slack: from the stand-in's file, or, with a real token, from the incidents whose message it holds."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.names import INCIDENTS, ITEM_SALES_CHECK

_TOLD = f"SELECT count() FROM {INCIDENTS} FINAL WHERE ts != ''"  # noqa: S608 - our own name
_ITEMS = f"""
SELECT DISTINCT arrayJoin(items) FROM {INCIDENTS} FINAL WHERE ts != '' AND subject LIKE {{like:String}}
"""  # noqa: S608 - our own name


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


def told(client: Client) -> int:
    """Return how many incidents have a message in Slack.

    Raises:
        RetryLater, Permanent: ClickHouse cannot be reached or refuses.

    """
    with mapped_errors():
        return int(client.query(_TOLD).result_rows[0][0])


def announced(client: Client) -> set[str]:
    """Return the items of the sales check that Slack was told about; errors as in `told`."""
    with mapped_errors():
        rows = client.query(_ITEMS, parameters={"like": f"%{ITEM_SALES_CHECK}%"}).result_rows
    return {str(item) for (item,) in rows}
