"""A look at a page: its panels as they are now, as a whole page or as the parts that an open page swaps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from dashboard.controls import Control, choose, controls
from dashboard.database import Database
from dashboard.draw import numbers
from dashboard.filters import Filters
from dashboard.panel import Page, Shown, show

_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Look:
    """What one look at a page found.

    Args:
        filters: of the look.
        shown: the page's panels.
        controls: of the form.
        took_seconds: from the request to the last answer.
    """

    page: Page
    filters: Filters
    shown: Sequence[Shown]
    controls: Sequence[Control]
    took_seconds: float

    @property
    def is_away(self) -> bool:
        """Whether a panel found ClickHouse away."""
        return any(each.is_away for each in self.shown)


async def look(page: Page, filters: Filters, database: Database, *, with_controls: bool) -> Look:
    """Ask all of a page's questions at once and return what they found."""
    began = time.perf_counter()
    filters = await choose(page, filters, database)
    wanted = controls(page, filters, database) if with_controls else _nothing()
    shown, form = await asyncio.gather(
        asyncio.gather(*(show(panel, filters, database) for panel in page.panels)), wanted
    )
    return Look(page, filters, shown, form, time.perf_counter() - began)


async def _nothing() -> list[Control]:
    return []


class Templates:
    """The pages' templates.

    Args:
        pages: in the order of the menu.
    """

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._templates.filters["moment"] = numbers.moment

    def page(self, found: Look) -> str:
        """Return the whole page."""
        return self._render("page.html", found=found, page=found.page, filters=found.filters, pages=self._pages)

    def parts(self, found: Look) -> dict[str, Any]:
        """Return the panels for an open page: HTML and state by name."""
        panels = {
            each.panel.name: {
                "state": each.state,
                "html": self._render("panel.html", each=each, page=found.page, filters=found.filters),
            }
            for each in found.shown
        }
        return {"panels": panels, "away": found.is_away, "at": found.filters.now.isoformat()}

    def failure(self, title: str, words: str) -> str:
        """Return a page that says what went wrong."""
        return self._render("failure.html", title=title, words=words, pages=self._pages)

    def _render(self, name: str, **values: Any) -> str:
        return self._templates.get_template(name).render(**values)
