"""What a page shows, read as people do: figures by their names, tables by their columns."""

from __future__ import annotations

import re

from playwright.sync_api import ConsoleMessage, Page


def figure(page: Page, panel: str, name: str, at: int = 0) -> str:
    """The value of a figure of a panel, by the name that people read."""
    cell = page.locator(f"#p-{panel} .figure").filter(has=page.locator("dt", has_text=re.compile(f"^{name}$")))
    return cell.nth(at).locator("data").get_attribute("value") or ""


def column(page: Page, panel: str, number: int) -> list[str]:
    """The values of a column of a panel's table; the first is 0 and names the row."""
    cells = page.locator(f"#p-{panel} tbody tr > :nth-child({number + 1})")
    return [text.strip() for text in cells.all_inner_texts()]


def broken_panels(page: Page) -> list[str]:
    """The panels that could not be drawn, when all of the page is there."""
    page.wait_for_function("document.querySelector('#pause') && !document.querySelector('#pause').hidden")
    states: list[tuple[str, str]] = page.eval_on_selector_all(
        ".panel", "all => all.map(each => [each.id, each.dataset.state])"
    )
    return [name for name, state in states if state == "error"]


def listen(page: Page) -> list[str]:
    """What the browser will have to complain about on the page, from now on."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
