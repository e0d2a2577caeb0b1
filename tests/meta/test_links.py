"""Every link of every page leads somewhere; addresses outside are held against their form only, without a network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.pages import ROOT, anchors, links, pages

# What a running stack serves, and what stands for one.
LOCAL = re.compile(r"^http://(localhost|127\.0\.0\.1)(:\d+)?(/|$)")


def problem(page: Path, target: str) -> str:
    """Say what is wrong with a link of a page; empty when nothing is."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return "" if is_address(target) else "is no https address"
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists() or not file.is_relative_to(ROOT):
        return "is not there"
    if anchor and anchor not in anchors(file.read_text()):
        return f"has no heading {anchor}"
    return ""


def is_address(target: str) -> bool:
    parts = urlsplit(target)
    host = parts.hostname or ""
    well_formed = parts.scheme == "https" and "." in host and not re.search(r"[\s\\\"<>]", target)
    return well_formed or bool(LOCAL.match(target))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    wrong = {target: said for target in links(page.read_text()) if (said := problem(page, target))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("docs/nowhere.md", "is not there"),
        ("README.md#nothing", "has no heading nothing"),
        ("#nothing", "has no heading nothing"),
        ("../outside.md", "is not there"),
        ("http://example.org/", "is no https address"),
        ("https://", "is no https address"),
        ("README.md#two-commands", ""),
        ("http://localhost:3000", ""),
        ("https://kafka.apache.org/documentation/", ""),
    ],
)
def test_a_link_that_leads_nowhere_is_found(target: str, said: str) -> None:
    assert problem(ROOT / "README.md", target) == said
