"""The pages in the order of the menu."""

from __future__ import annotations

from typing import Final

from dashboard.pages import events, experiments, funnels, health, items, live, sessions, users
from dashboard.panel import Page

PAGES: Final[tuple[Page, ...]] = (
    *(live.PAGE, users.PAGE, items.PAGE, sessions.PAGE),
    *(funnels.PAGE, experiments.PAGE, events.PAGE, health.PAGE),
)
