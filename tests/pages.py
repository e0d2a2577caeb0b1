"""The Markdown of the project, as far as its tests need to read it: pages, links, headings and fenced code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]*)>?[^)]*\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """Every page for people: those at the root, in docs/ and in samples/."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "samples").glob("*.md"))]


def without_code(text: str) -> str:
    return _CODE.sub("`code`", _INDENTED.sub("", _FENCE.sub("", text)))


def links(text: str) -> list[str]:
    """The targets of a page's links and pictures."""
    return _LINK.findall(without_code(text))


def anchors(text: str) -> list[str]:
    """The names that a page's headings can be linked by, as forges make them."""
    return [_slug(heading) for heading in _HEADING.findall(_FENCE.sub("", text))]


def fenced(text: str, language: str | None = None) -> list[str]:
    """The fenced blocks of a page in order, of one language or of all."""
    return [code for kind, code in _FENCE.findall(text) if language in {None, kind.strip()}]


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
