"""Take the pictures in docs/images of a running dashboard: `make screenshots` while `make demo` runs."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Error, sync_playwright

from dashboard.pages import PAGES
from local.paths import ROOT
from tests.browser.conftest import FLAGS

FOLDER: Final = ROOT / "docs" / "images"
_DARK: Final = frozenset({"items", "health"})
_WIDE, _PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
# Until the figures have been looked at again once.
_SETTLE_MILLISECONDS: Final = 4_000


def main() -> None:
    """Take a picture of each page, and one on a phone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="http://localhost:8050")
    address = parser.parse_args().address
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("Chromium is missing: apt-get install chromium")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for page in PAGES:
            take(browser, f"{address}/{page.name}", FOLDER / f"dashboard-{page.name}.png", page.name in _DARK)
        take(browser, f"{address}/live", FOLDER / "dashboard-live-phone.png", is_dark=True, is_phone=True)
        browser.close()


def take(browser: Browser, url: str, target: Path, is_dark: bool, is_phone: bool = False) -> None:
    """Take one picture."""
    context = browser.new_context(viewport=_PHONE if is_phone else _WIDE, color_scheme="dark" if is_dark else "light")
    page = context.new_page()
    try:
        page.goto(url)
    except Error as error:
        raise SystemExit(
            f"nothing answers at {url}; start `make demo` first: {error.message.splitlines()[0]}"
        ) from None
    page.wait_for_timeout(_SETTLE_MILLISECONDS)
    page.screenshot(path=target)
    context.close()
    sys.stdout.write(f"{target.relative_to(ROOT)} {target.stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    main()
