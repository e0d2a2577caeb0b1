"""An incident as a Slack message (Block Kit): pure, and never larger than Slack accepts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orchestration.alerts.incidents import Incident

# Slack's limits: a longer text or one more field and the whole message is refused.
SECTION_CHARACTERS: Final = 3_000
HEADER_CHARACTERS: Final = 150
FIELD_CHARACTERS: Final = 2_000
FIELDS: Final = 10
FALLBACK_CHARACTERS: Final = 3_000
_CUT: Final = "\n… cut; the rest is in Dagster"

_GREEN: Final = "#2eb67d"
_COLOURS: Final = {"warning": "#ecb22e", "error": "#e01e5a"}


@dataclass(frozen=True)
class Message:
    """What Slack is sent.

    Args:
        text: for notifications, the log and screen readers.
        blocks: what is shown.
        color: of the bar beside it.

    """

    text: str
    blocks: list[dict[str, Any]]
    color: str

    @property
    def attachments(self) -> list[dict[str, Any]]:
        """The blocks as one attachment: the only way to a coloured bar."""
        return [{"color": self.color, "fallback": self.text, "blocks": self.blocks}]


def render(incident: Incident, base_url: str) -> Message:
    """Return the message of an incident: red or amber while it lasts, green with its duration after.

    Args:
        incident: what to say.
        base_url: address of the Dagster UI, without a closing slash.

    """
    last = incident.last
    open_ = incident.resolved_at is None
    head = f"{_word(incident)}: {last.title}"
    blocks = [_header(head), _section(escape(last.summary) or "No explanation was given.")]
    if last.facts:
        blocks.append(_fields(incident))
    if last.table:
        blocks.append(_section(f"```{escape(last.table.replace('```', ''))}```", closing="```"))
    blocks.append(_context(f"{_since(incident)} · <{base_url}{last.path}|Open in Dagster>"))
    color = _COLOURS[last.severity] if open_ else _GREEN
    return Message(shortened(f"{head}. {last.summary}", FALLBACK_CHARACTERS, "…"), blocks, color)


def render_note(incident: Incident) -> str:
    """Return the thread's note for things that joined an incident people already know of."""
    names = ", ".join(incident.new_items)
    return shortened(f"Also now: {escape(names)}. {escape(incident.last.summary)}", SECTION_CHARACTERS, _CUT)


def escape(text: str) -> str:
    """Return `text` with the three characters that mean something to Slack made harmless."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shortened(text: str, limit: int, note: str) -> str:
    """Return `text` with at most `limit` characters; what is cut off is said by `note`."""
    return text if len(text) <= limit else text[: limit - len(note)] + note


def duration(seconds: float) -> str:
    """Return a length of time for a person: 45 s, 12 min, 3 h 20 min."""
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _word(incident: Incident) -> str:
    if incident.resolved_at is not None:
        return "Resolved"
    return "Run failed" if incident.last.kind == "run" else "Check failed"


def _since(incident: Incident) -> str:
    opened = datetime.fromtimestamp(incident.opened_at, UTC)
    times = f"{incident.count} time{'s' if incident.count > 1 else ''}"
    if incident.resolved_at is None:
        return f"since {opened:%Y-%m-%d %H:%M:%S} UTC · seen {times}"
    lasted = duration(incident.resolved_at - incident.opened_at)
    return f"{opened:%Y-%m-%d %H:%M:%S} UTC, lasted {lasted} · seen {times}"


def _header(text: str) -> dict[str, Any]:
    shown = shortened(" ".join(text.split()), HEADER_CHARACTERS, "…")
    return {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def _section(text: str, closing: str = "") -> dict[str, Any]:
    shown = shortened(text, SECTION_CHARACTERS, _CUT + closing)
    return {"type": "section", "text": {"type": "mrkdwn", "text": shown}}


def _fields(incident: Incident) -> dict[str, Any]:
    cells = [f"*{escape(label)}*\n{escape(value)}" for label, value in incident.last.facts[:FIELDS]]
    shown = [{"type": "mrkdwn", "text": shortened(cell, FIELD_CHARACTERS, "…")} for cell in cells]
    return {"type": "section", "fields": shown}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}
