"""A notice as a Slack message (Block Kit): pure, and never larger than Slack accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from orchestration.alerts.chart import sparkline
from orchestration.alerts.notice import Notice

# Slack's limits: a longer text or one more field and the whole message is refused.
SECTION_CHARACTERS: Final = 3_000
HEADER_CHARACTERS: Final = 150
FIELD_CHARACTERS: Final = 2_000
FIELDS: Final = 10
FALLBACK_CHARACTERS: Final = 3_000
_CUT: Final = "\n… cut; the rest is in Dagster"

_GREEN: Final = "#2eb67d"
_BLUE: Final = "#36c5f0"
_COLOURS: Final = {"warning": "#ecb22e", "error": "#e01e5a"}


@dataclass(frozen=True)
class Message:
    """What Slack is sent.

    Args:
        text: for notifications and screen readers.
        blocks: what is shown.
        color: of the bar beside it.
        plain: the whole in words, where Slack does not take the blocks.

    """

    text: str
    blocks: list[dict[str, Any]]
    color: str
    plain: str

    @property
    def attachments(self) -> list[dict[str, Any]]:
        """The blocks as one attachment: the only way to a coloured bar."""
        return [{"color": self.color, "fallback": self.text, "blocks": self.blocks}]


def render(notice: Notice, file: str = "") -> Message:
    """Return the message: red or amber while it lasts, blue when somebody looks after it, green after it.

    Args:
        notice: what to say.
        file: id of the uploaded chart; without one the chart is drawn in text.

    """
    parts = [notice.mention, escape(notice.summary)]
    blocks = [_header(notice.headline), _section(" ".join(filter(None, parts)) or "No explanation was given.")]
    if notice.facts:
        blocks.append(_fields(notice))
    if notice.chart and file:
        alt = shortened(f"Observed and expected: {notice.summary}", FIELD_CHARACTERS, "…")
        blocks.append({"type": "image", "slack_file": {"id": file}, "alt_text": alt})
    elif notice.chart and (line := sparkline(notice.chart)):
        blocks.append(_section(f"`{line}`"))
    if notice.table:
        blocks.append(_section(f"```{escape(notice.table.replace('```', ''))}```", closing="```"))
    small = [escape(notice.health), _owner(notice), escape(notice.held_text)]
    blocks += [_context(text) for text in small if text]
    where = [_link(label, address) for label, address in notice.links]
    blocks.append(_context(" · ".join(filter(None, [notice.timing, *where])) or notice.kind))
    text = shortened(escape(notice.text), FALLBACK_CHARACTERS, "…")
    return Message(text, blocks, _colour(notice), _plain(notice))


def render_note(notice: Notice) -> str:
    """Return a note in the thread, which tells the people who follow it."""
    return shortened(" ".join(filter(None, [notice.mention, escape(notice.note)])), SECTION_CHARACTERS, _CUT)


def escape(text: str) -> str:
    """Return `text` with the three characters that mean something to Slack made harmless."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shortened(text: str, limit: int, note: str) -> str:
    """Return `text` with at most `limit` characters; what is cut off is said by `note`."""
    return text if len(text) <= limit else text[: limit - len(note)] + note


def _colour(notice: Notice) -> str:
    by_state = {"resolved": _GREEN, "acknowledged": _BLUE}
    return by_state.get(notice.state) or _COLOURS.get(notice.severity, _BLUE)


def _owner(notice: Notice) -> str:
    return f"owner: {escape(notice.owner)}" if notice.owner else ""


def _plain(notice: Notice) -> str:
    lines = [notice.headline, " ".join(filter(None, [notice.mention, notice.summary]))]
    lines += [f"{label}: {value}" for label, value in notice.facts]
    lines += [notice.table, notice.health, notice.held_text, notice.timing]
    lines += [": ".join(filter(None, link)) for link in notice.links]
    mention, kept = escape(notice.mention), notice.mention
    text = escape("\n".join(filter(None, lines)))
    return shortened(text.replace(mention, kept, 1) if mention else text, FALLBACK_CHARACTERS, _CUT)


def _link(label: str, address: str) -> str:
    return f"<{address}|{escape(label)}>" if address else escape(label)


def _header(text: str) -> dict[str, Any]:
    shown = shortened(" ".join(text.split()) or "Alert", HEADER_CHARACTERS, "…")
    return {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def _section(text: str, closing: str = "") -> dict[str, Any]:
    shown = shortened(text, SECTION_CHARACTERS, _CUT + closing)
    return {"type": "section", "text": {"type": "mrkdwn", "text": shown}}


def _fields(notice: Notice) -> dict[str, Any]:
    cells = [f"*{escape(label)}*\n{escape(value)}" for label, value in notice.facts[:FIELDS]]
    shown = [{"type": "mrkdwn", "text": shortened(cell, FIELD_CHARACTERS, "…")} for cell in cells]
    return {"type": "section", "fields": shown}


def _context(text: str) -> dict[str, Any]:
    shown = shortened(text, SECTION_CHARACTERS, "…")
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": shown}]}
