"""A test message, straight to the channels: whether they are set up right is known at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.errors import MillraceError, UserError
from contracts.settings import Settings
from orchestration.alerts.channels.build import build
from orchestration.alerts.notice import Notice
from orchestration.alerts.rules import Rules


@dataclass(frozen=True)
class Sent:
    """What became of a channel's test message."""

    channel: str
    worked: bool
    said: str


def send_test(rules: Rules, settings: Settings, only: str | None, now: datetime) -> list[Sent]:
    """Send a test message to every channel that is set up, or to one.

    Raises:
        UserError: there is no channel of that name.

    """
    if only is not None and only not in rules.channels:
        raise UserError(f"the rules have no channel {only!r}; there are {', '.join(rules.channels)}")
    notice = Notice(
        kind="test",
        key=f"test-{now:%Y%m%dT%H%M%S%f}",
        headline="Test message of Millrace",
        summary="Alerts reach this channel.",
        state="resolved",
        timing=f"sent {now:%Y-%m-%d %H:%M:%S} UTC",
        links=(("Dashboard", settings.dashboard_url),),
    )
    channels, sent = build(rules, settings), []
    for name in rules.channels if only is None else (only,):
        if name not in channels:
            sent.append(Sent(name, only is None, f"not set up; see {rules.channels[name].kind} in docs/alerts.md"))
            continue
        try:
            sent.append(Sent(name, True, f"sent ({channels[name].post(notice, notice.key)})"))
        except MillraceError as error:
            sent.append(Sent(name, False, str(error)))
    return sent
