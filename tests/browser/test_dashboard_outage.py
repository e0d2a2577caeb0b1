"""A dashboard whose ClickHouse goes away: it says so, keeps what it showed, and goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from contracts.clickhouse import connect
from contracts.settings import Settings
from local.paths import clickhouse_library
from local.ports import free_ports
from local.servers import clickhouse_service
from local.service import RunningService
from sql.migrate import migrate
from tests.browser.world import World, as_dashboard, event, eventually, now, serving
from tests.events import Landing

pytestmark = [pytest.mark.clickhouse]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, Settings]]:
    """A ClickHouse of this module's own, with the migrations applied."""
    if not clickhouse_library().exists():
        pytest.skip("ClickHouse's library is not installed: run `make setup`")
    home: Path = tmp_path_factory.mktemp("clickhouse")
    http, native = free_ports(2)
    service = RunningService(clickhouse_service(home / "server", http, native), home)
    service.start()
    try:
        service.wait_ready()
        settings = Settings(_env_file=None, millrace_home=home, clickhouse_host="127.0.0.1", clickhouse_port=http)
        migrate(connect(settings), settings)
        yield service, settings
    finally:
        service.kill()


@pytest.fixture(scope="module")
def world(server: tuple[RunningService, Settings]) -> Iterator[World]:
    """A dashboard on it; nothing has landed and no mart is built."""
    _, settings = server
    with serving(as_dashboard(settings, settings.millrace_home / "server")) as address:
        yield World(address, connect(settings), settings)


def test_before_the_first_event_and_run_the_pages_say_what_is_missing(world: World, page: Page) -> None:
    for name in ("live", "users", "items", "sessions", "funnels", "experiments", "events", "health"):
        page.goto(f"{world.address}/{name}")
        states = page.eval_on_selector_all(".panel", "all => all.map(each => each.dataset.state)")
        assert "error" not in states, name
    page.goto(f"{world.address}/users")
    expect(page.locator("#p-totals")).to_contain_text("Not built yet")
    assert world.get("/download/users/top.csv").status == 503


def test_a_clickhouse_that_goes_away_is_said_and_outlived(
    server: tuple[RunningService, Settings], world: World, page: Page
) -> None:
    service, settings = server
    landing = Landing(world.client)
    landing.land(pl.DataFrame([event("click", now(), user_id="early")], schema_overrides={"quantity": pl.Int64}))
    page.goto(f"{world.address}/events")
    page.get_by_role("rowheader").first.wait_for()
    service.kill()
    page.locator("#away").wait_for(state="visible")
    assert page.get_by_text("early").count() == 1, "the last figures stay"
    opened = world.get("/live")
    assert opened.status == 200
    assert "ClickHouse cannot be reached" in opened.text
    assert world.post("/incidents/acknowledge", "fingerprint=x", Origin=world.address).status == 503
    service.start()
    service.wait_ready()
    eventually(lambda: world.get("/data/events").json["away"] is False)
    again = Landing(connect(settings), partitions=1)
    again.land(pl.DataFrame([event("click", now(), user_id="later")], schema_overrides={"quantity": pl.Int64}))
    page.get_by_text("later").wait_for()
    page.locator("#away").wait_for(state="hidden")


def test_a_dashboard_that_goes_away_is_said_by_the_open_page(
    server: tuple[RunningService, Settings], page: Page
) -> None:
    _, settings = server
    with serving(as_dashboard(settings, settings.millrace_home / "server")) as address:
        page.goto(f"{address}/health")
    page.locator("#lost").wait_for(state="visible")
