"""The pages in the order of the menu."""

from __future__ import annotations

from typing import Final

from dashboard.pages import items, live, users
from dashboard.panel import Page

PAGES: Final[tuple[Page, ...]] = (live.PAGE, users.PAGE, items.PAGE)
