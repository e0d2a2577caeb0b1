"""The log as a channel: the last resort, which always takes a message."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from orchestration.alerts.notice import Notice

PLACE: Final = "log"

_log = logging.getLogger("dagster.millrace.alerts")


class LogChannel:
    """Writes each message as one line of the log of whoever delivers."""

    edits = True

    def post(self, notice: Notice, key: str) -> str:
        """Write the message."""
        _log.warning("alert %s: %s", key, " ".join(notice.text.split()))
        return PLACE

    def edit(self, place: str, notice: Notice, key: str) -> None:  # noqa: ARG002 - a log has one place
        """Write what changed, but not that only the figures did."""
        if notice.kind != "update" or notice.state != "open":
            self.post(notice, key)

    def note(self, place: str, notice: Notice, key: str) -> str:  # noqa: ARG002 - a log has one place
        """Write the note."""
        return self.post(notice, key)

    def find(self, key: str, since: datetime, place: str = "") -> str:  # noqa: ARG002 - a log is not searched
        """Return '': a line that is there twice costs nothing."""
        return ""
