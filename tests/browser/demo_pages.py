"""Drive the pages of a running demo in a browser: `make demo-pages` while `make demo` runs.

Each check prints a line; the first that does not hold ends it. It plants one event of its own in the demo's topic,
acknowledges an incident, and at last kills the demo's ClickHouse, which the demo starts again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable
from typing import Final

from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer
from playwright.sync_api import Browser, Page, sync_playwright

from contracts.clickhouse import connect
from contracts.errors import MillraceError
from contracts.settings import Settings, load_settings
from dashboard.pages import PAGES
from streaming.kafka.client import producer_config
from tests.browser.axe import faults
from tests.browser.conftest import FLAGS
from tests.browser.reading import broken_panels, column, figure, listen
from tests.browser.world import eventually, now

_LIVE_SECONDS: Final = 3.0
_RUN_SECONDS: Final = 90.0
# Page, panel and figure, beside the direct question; over all there is, so that the stretch's end plays no part.
_NUMBERS: Final = (
    ("users", "totals", "Users seen", "SELECT count() FROM marts.fct_user"),
    ("users", "totals", "Who ever bought", "SELECT countIf(purchases > 0) FROM marts.fct_user"),
    ("users", "totals", "Their revenue", "SELECT sum(revenue) FROM marts.fct_user"),
    ("items", "totals", "Views", "SELECT sum(views) FROM marts.fct_item_hourly"),
    ("items", "totals", "Purchases", "SELECT sum(purchases) FROM marts.fct_item_hourly"),
    ("items", "totals", "Revenue", "SELECT sum(revenue) FROM marts.fct_item_hourly"),
    ("sessions", "totals", "Sessions", "SELECT countIf(NOT is_bot) FROM marts.fct_session"),
    ("sessions", "totals", "Conversion", "SELECT avgIf(is_converted, NOT is_bot) FROM marts.fct_session"),
)


def main() -> None:
    """Check it all on the demo of this folder."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("Chromium is missing: apt-get install chromium")
    settings = load_settings()
    address = f"http://localhost:{settings.dashboard_port}"
    try:
        client = connect(settings)
    except MillraceError as error:
        raise SystemExit(f"start `make demo` first: {error}") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        _each_page_opens(browser, address)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        _numbers_equal_the_marts(page, address, client)
        _live_tiles_follow(page, address)
        _filters_change_address_and_figures(page, address, client)
        _search_finds(page, address, settings)
        _incident_is_acknowledged(page, address, client)
        _clickhouse_is_outlived(page, address, settings)
        browser.close()


def _said(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def _holds(holds: bool, words: str) -> None:
    if not holds:
        raise SystemExit(f"does not hold: {words}")
    _said(words)


def _each_page_opens(browser: Browser, address: str) -> None:
    for each in PAGES:
        page = browser.new_page()
        complaints = listen(page)
        page.goto(f"{address}/{each.name}")
        broken = broken_panels(page)
        page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
        found = [*broken, *faults(page), *complaints]
        _holds(found == [], f"{each.name}: no broken tile, no console error, no serious fault for axe {found or ''}")
        page.close()


def _numbers_equal_the_marts(page: Page, address: str, client: Client) -> None:
    for name, panel, title, question in _NUMBERS:

        def pair(name: str = name, panel: str = panel, title: str = title, question: str = question) -> str:
            before = client.query(question).result_rows[0][0]
            page.goto(f"{address}/{name}?range=all")
            shown = figure(page, panel, title)
            # What changed while the page was read is read again.
            same = before == client.query(question).result_rows[0][0] and abs(float(shown) - float(before)) < 1e-9
            return shown if same else ""

        _said(f"{name}, {title}: {eventually(pair, _RUN_SECONDS)}, as the mart has it")


def _live_tiles_follow(page: Page, address: str) -> None:
    page.goto(f"{address}/live")
    text: Callable[[], str] = page.locator("#p-now").inner_text
    longest = 0.0
    for _ in range(5):
        before, began = text(), time.monotonic()
        eventually(lambda before=before: text() != before)  # type: ignore[misc]
        longest = max(longest, time.monotonic() - began)
    _holds(longest <= _LIVE_SECONDS, f"live: five times new figures, {longest:.1f} s at most between them")


def _filters_change_address_and_figures(page: Page, address: str, client: Client) -> None:
    question = "SELECT count() FROM marts.fct_user WHERE last_device = 'tablet'"

    def filtered() -> str:
        before = str(client.query(question).result_rows[0][0])
        page.goto(f"{address}/users?range=all")
        page.get_by_label("Device", exact=True).select_option("tablet")
        page.wait_for_url("**/users?range=all&device=tablet")
        shown = figure(page, "totals", "Users seen")
        return shown if before == shown == str(client.query(question).result_rows[0][0]) else ""

    _said(f"users, tablet only: {eventually(filtered, _RUN_SECONDS)}, in the address and as the mart has it")


def _search_finds(page: Page, address: str, settings: Settings) -> None:
    word = f"xylophone{uuid.uuid4().hex[:8]}"
    event = {
        "event_id": str(uuid.uuid4()), "event_type": "search", "timestamp": now().isoformat(),
        "user_id": "planted-user", "search_query": word,
    }  # fmt: skip
    producer = Producer(producer_config(settings))
    producer.produce(settings.kafka_topic, json.dumps(event).encode(), b"planted-user")
    producer.flush(30)
    page.goto(f"{address}/events")
    page.get_by_label("Search").press_sequentially(word, delay=20)
    eventually(lambda: column(page, "found", 2) == ["planted-user"])
    _said(f"events: the planted {word} is found")


def _incident_is_acknowledged(page: Page, address: str, client: Client) -> None:
    state = "SELECT count() FROM ops.incident_actions WHERE action = 'ack'"
    before = client.query(state).result_rows[0][0]
    page.goto(f"{address}/health")
    button = page.get_by_role("button", name="Acknowledge").first
    button.wait_for(timeout=120_000)
    name = button.get_attribute("aria-label") or button.inner_text()
    button.click()
    eventually(lambda: client.query(state).result_rows[0][0] == before + 1)
    page.get_by_text("acknowledged by").first.wait_for()
    _said(f"health: {name}: done")


def _clickhouse_is_outlived(page: Page, address: str, settings: Settings) -> None:
    status = settings.millrace_home / "demo" / "clickhouse" / "data" / "status"
    pid = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("PID"))
    page.goto(f"{address}/live")
    os.kill(pid, signal.SIGKILL)
    page.locator("#away").wait_for(state="visible")
    _said("live: ClickHouse was killed, and the page says so")
    page.locator("#away").wait_for(state="hidden", timeout=120_000)
    before = page.locator("#p-now").inner_text()
    eventually(lambda: page.locator("#p-now").inner_text() != before)
    _said("live: ClickHouse is back, and so are new figures")


if __name__ == "__main__":
    main()
