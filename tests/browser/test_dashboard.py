"""The dashboard's pages in a real browser, on real marts: what they show is what a direct query says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import ConsoleMessage, Page

from contracts.clickhouse import connect
from contracts.names import LIVE_TABLES
from contracts.settings import Settings
from dashboard.pages import PAGES
from tests.browser.world import World, as_dashboard, event, eventually, now, serving, visits
from tests.dbt_runs import dbt
from tests.events import Landing
from tests.tables import drop_models, empty_raw

pytestmark = [pytest.mark.clickhouse]
NAMES = [page.name for page in PAGES]


@pytest.fixture(scope="module")
def landing(one_clickhouse: Settings) -> Landing:
    """Raw tables with the shop's visits; its next events land at the same places as ingest's would."""
    client = connect(one_clickhouse)
    empty_raw(client)
    drop_models(client)
    for table in LIVE_TABLES:
        client.command(f"TRUNCATE TABLE {table}")
    landing = Landing(client)
    landing.land(visits(7, 400, now()))
    return landing


@pytest.fixture(scope="module")
def world(one_clickhouse: Settings, landing: Landing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The shop with its marts built, and a dashboard that reads them with its own role."""
    folder = tmp_path_factory.mktemp("dbt")
    assert set(dbt(one_clickhouse, folder, "run").values()) == {"success"}
    home = one_clickhouse.millrace_home / "server"
    with serving(as_dashboard(one_clickhouse, home, millrace_home=folder)) as address:
        yield World(address, connect(one_clickhouse), one_clickhouse)


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser had to complain about on the page."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def figure(page: Page, panel: str, name: str, at: int = 0) -> str:
    """The value of a figure of a panel, by the name that people read."""
    cell = page.locator(f"#p-{panel} .figure").filter(has=page.locator("dt", has_text=re.compile(f"^{name}$")))
    return cell.nth(at).locator("data").get_attribute("value") or ""


def column(page: Page, panel: str, number: int) -> list[str]:
    """The values of a column of a panel's table; the first is 0 and names the row."""
    cells = page.locator(f"#p-{panel} tbody tr > :nth-child({number + 1})")
    return [text.strip() for text in cells.all_inner_texts()]


@pytest.mark.parametrize("name", NAMES)
def test_each_page_opens_without_a_complaint_and_every_panel_has_its_figures(
    world: World, page: Page, complaints: list[str], name: str
) -> None:
    page.goto(f"{world.address}/{name}")
    page.wait_for_function("document.querySelector('#pause') && !document.querySelector('#pause').hidden")
    states = page.eval_on_selector_all(".panel", "all => all.map(each => [each.id, each.dataset.state])")
    assert [state for state in states if state[1] == "error"] == []
    assert page.locator("h1").inner_text() == next(each.title for each in PAGES if each.name == name)
    assert complaints == []


def test_the_users_page_shows_what_the_mart_holds(world: World, page: Page) -> None:
    page.goto(f"{world.address}/users?range=30d")
    query = "SELECT {} FROM marts.fct_user"
    assert figure(page, "totals", "Users seen") == str(world.one(query.format("count()")))
    assert figure(page, "totals", "Who ever bought") == str(world.one(query.format("countIf(purchases > 0)")))
    assert float(figure(page, "totals", "Their revenue")) == float(world.one(query.format("sum(revenue)")))
    richest = world.client.query(
        "SELECT user_id FROM marts.fct_user ORDER BY revenue DESC, total_interactions DESC, user_id LIMIT 50"
    ).result_columns[0]
    assert column(page, "top", 0) == list(richest)


def test_the_items_page_shows_what_the_mart_holds(world: World, page: Page) -> None:
    page.goto(f"{world.address}/items?range=30d")
    query = "SELECT {} FROM marts.fct_item_hourly"
    assert figure(page, "totals", "Purchases") == str(world.one(query.format("sum(purchases)")))
    assert figure(page, "totals", "Views") == str(world.one(query.format("sum(views)")))
    assert float(figure(page, "totals", "Revenue")) == float(world.one(query.format("sum(revenue)")))
    best = "SELECT item_id FROM marts.fct_item_hourly GROUP BY 1 ORDER BY sum(revenue) DESC, sum(views) DESC, 1"
    assert column(page, "top", 0) == list(world.client.query(best).result_columns[0])


def test_the_live_page_shows_what_the_live_models_hold(world: World, page: Page) -> None:
    page.goto(f"{world.address}/live")
    query = "SELECT active_users FROM live.live_active_users WHERE window_minutes = 30 AND device_type = 'all'"
    assert figure(page, "now", "Active users", 1) == str(world.one(query))
    window = "minute > toStartOfMinute(now('UTC')) - INTERVAL 30 MINUTE"
    query = f"SELECT sum(purchases) FROM live.live_minute WHERE {window}"
    assert figure(page, "now", "Purchases") == str(world.one(query))


def test_live_figures_follow_new_events_without_a_reload(world: World, page: Page, landing: Landing) -> None:
    page.goto(f"{world.address}/live")
    page.evaluate("window.isSamePage = true")
    before = int(figure(page, "now", "Active users", 1))
    new = [event("page_view", now(), user_id=f"new-{at}", page_url="/new-page") for at in range(60)]
    landing.land(pl.DataFrame(new, schema_overrides={"quantity": pl.Int64}))
    eventually(lambda: int(figure(page, "now", "Active users", 1)) == before + 60)
    eventually(lambda: "/new-page" in column(page, "pages", 0))
    assert page.evaluate("window.isSamePage")


def test_a_filter_changes_the_address_and_the_figures(world: World, page: Page) -> None:
    page.goto(f"{world.address}/users?range=30d")
    page.get_by_label("Device", exact=True).select_option("tablet")
    page.wait_for_url("**/users?range=30d&device=tablet")
    count = world.one("SELECT count() FROM marts.fct_user WHERE last_device = 'tablet'")
    assert figure(page, "totals", "Users seen") == str(count)
    page.get_by_role("link", name="Items").click()
    page.wait_for_url("**/items?range=30d&device=tablet")
    page.go_back()
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**/users")


def test_the_dashboard_cannot_change_anything(one_clickhouse: Settings, world: World, tmp_path: Path) -> None:
    settings = as_dashboard(one_clickhouse, one_clickhouse.millrace_home / "server")
    client: Client = connect(settings)
    for statement in (
        "TRUNCATE TABLE raw.events",
        "DROP VIEW marts.fct_user",
        "INSERT INTO raw.events (user_id) VALUES ('x')",
    ):
        with pytest.raises(Exception, match=r"(privileges|readonly|read-only|ACCESS_DENIED)"):
            client.command(statement)
    client.close()
