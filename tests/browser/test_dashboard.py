"""The dashboard's pages in a real browser, on real marts: what they show is what a direct query says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Browser, Page
from pydantic import SecretStr

from contracts.clickhouse import connect
from contracts.names import LIVE_TABLES, ROLE_RESPONDER
from contracts.settings import Settings
from dashboard.pages import PAGES
from local.clickhouse.config import passwords
from orchestration.assets.experiment_results import experiment_looks
from orchestration.resources.clickhouse import ClickHouse
from tests.browser.axe import faults
from tests.browser.reading import broken_panels, column, figure, listen
from tests.browser.world import World, as_dashboard, event, eventually, now, serving, visits
from tests.dbt_runs import dbt, environment
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
    client = connect(one_clickhouse)
    client.command("TRUNCATE TABLE ops.experiment_results")
    client.command("TRUNCATE TABLE ops.incidents")
    with environment(one_clickhouse, folder):
        assert dg.materialize([experiment_looks], resources={"clickhouse": ClickHouse()}).success
    responder = {
        "dashboard_responder_user": ROLE_RESPONDER,
        "dashboard_responder_password": SecretStr(passwords(one_clickhouse.millrace_home / "server")[ROLE_RESPONDER]),
    }
    home = one_clickhouse.millrace_home / "server"
    insert_incident(client, "trouble-0", "Freshness of fct_item", state="resolved")
    with serving(as_dashboard(one_clickhouse, home, millrace_home=folder, **responder)) as address:
        yield World(address, client, one_clickhouse)


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser had to complain about on the page."""
    return listen(page)


def insert_incident(client: Client, fingerprint: str, title: str, state: str) -> None:
    names = ("fingerprint", "title", "state", "severity", "first_seen", "last_seen", "version")
    client.insert("ops.incidents", [[fingerprint, title, state, "warning", now(), now(), 1]], column_names=names)


@pytest.mark.parametrize("name", NAMES)
def test_each_page_opens_without_a_complaint_of_the_browser_or_of_axe_and_fits_a_phone(
    world: World, page: Page, complaints: list[str], name: str
) -> None:
    page.goto(f"{world.address}/{name}")
    assert broken_panels(page) == []
    assert page.locator("h1").inner_text() == next(each.title for each in PAGES if each.name == name)
    page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
    assert faults(page) == []
    page.emulate_media(color_scheme="dark")
    assert faults(page, "color-contrast") == [], "the only rule that dark can change"
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []


def test_a_page_can_be_read_and_filtered_without_a_script(world: World, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{world.address}/users?range=30d")
    page.get_by_label("Device", exact=True).select_option("tablet")
    page.get_by_role("button", name="Show").click()
    count = world.one("SELECT count() FROM marts.fct_user WHERE last_device = 'tablet'")
    assert figure(page, "totals", "Users seen") == str(count)
    context.close()


def test_a_paused_page_stands_still_and_a_chosen_theme_stays(world: World, page: Page) -> None:
    page.goto(f"{world.address}/live")
    page.get_by_role("button", name="Pause").press("Enter")
    assert page.get_by_role("button", name="Go on").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Dark").press("Enter")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


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


def test_the_sessions_page_shows_what_the_mart_holds(world: World, page: Page) -> None:
    page.goto(f"{world.address}/sessions?range=30d")
    query = "SELECT {} FROM marts.fct_session WHERE NOT is_bot"
    assert figure(page, "totals", "Sessions") == str(world.one(query.format("count()")))
    assert float(figure(page, "totals", "Conversion")) == pytest.approx(world.one(query.format("avg(is_converted)")))
    by_duration = sum(int(count.replace(",", "")) for count in column(page, "durations", 1))
    assert by_duration == world.one(query.format("count()"))
    begun = dict(zip(column(page, "entries", 0), column(page, "entries", 1), strict=True))
    assert begun["/"].replace(",", "") == str(world.one(query.format("countIf(entry_page = '/')")))
    days = world.get("/download/sessions/days.csv?range=30d").text.splitlines()
    assert days[0] == '"session_date","all_sessions","all_buying"'
    assert len(days) - 1 == world.one(query.format("uniqExact(session_date)"))
    moves = "SELECT sum(moves) FROM marts.fct_journey WHERE kind = 'page' AND from_step = '(entry)' AND to_step = '/'"
    rows = dict(zip(column(page, "moves", 0), column(page, "moves", 2), strict=True))
    assert rows["(entry)"].replace(",", "") == str(world.one(moves))
    assert page.locator("#p-flow path.flow-band").count() >= 2


def test_figures_of_sessions_follow_the_device(world: World, page: Page) -> None:
    page.goto(f"{world.address}/sessions?range=30d&device=mobile")
    query = "SELECT {} FROM marts.fct_session WHERE NOT is_bot AND device_type = 'mobile'"
    count = str(world.one(query.format("count()")))
    median = world.one(query.format("quantileExactInclusiveIf(0.5)(duration_seconds, events > 1)"))
    assert figure(page, "totals", "Sessions") == count
    assert float(figure(page, "totals", "Median duration")) == pytest.approx(float(median))
    assert sum(int(each.replace(",", "")) for each in column(page, "durations", 1)) == int(count)
    for panel, field in (("days", 1), ("durations", 1)):
        rows = world.get(f"/download/sessions/{panel}.csv?range=30d&device=mobile").text.splitlines()[1:]
        assert sum(int(row.split(",")[field]) for row in rows) == int(count)
    totals = world.get("/download/sessions/totals.csv?range=30d&device=mobile").text.splitlines()
    assert totals[1].split(",")[0] == count
    entries = world.get("/download/sessions/entries.csv?range=30d&device=mobile").text.splitlines()
    begun = query.format("countIf(entry_page = '/')")
    assert [row.split(",")[1] for row in entries if row.startswith('"/",')] == [str(world.one(begun))]


def test_moves_follow_the_device_and_what_steps_are(world: World, page: Page) -> None:
    page.goto(f"{world.address}/sessions?range=30d&kind=event&device=mobile")
    query = (
        "SELECT sum(moves) FROM marts.fct_journey "
        "WHERE kind = 'event' AND device_type = 'mobile' AND from_step = 'page_view' AND to_step = 'add_to_cart'"
    )
    pairs = zip(column(page, "moves", 0), column(page, "moves", 1), column(page, "moves", 2), strict=True)
    shown = {(origin, target): count.replace(",", "") for origin, target, count in pairs}
    assert shown["page_view", "add_to_cart"] == str(world.one(query))
    rows = world.get("/download/sessions/moves.csv?range=30d&kind=event&device=mobile").text.splitlines()
    assert f'"page_view","add_to_cart",{shown["page_view", "add_to_cart"]}' in rows
    steps = world.get("/download/sessions/flow.csv?range=30d&kind=event&device=mobile").text.splitlines()
    assert {line.split(",")[0] for line in steps[1:]} <= {"1", "2", "3", "4"}


def test_a_funnel_counts_each_user_once_and_leads_to_those_who_stopped(world: World, page: Page) -> None:
    page.goto(f"{world.address}/funnels?funnel=search_to_purchase&range=30d")
    query = """SELECT step, count() FROM (
        SELECT user_id, max(furthest_step) AS furthest FROM marts.fct_funnel_user
        WHERE funnel = 'search_to_purchase' AND NOT is_bot GROUP BY user_id
    ) ARRAY JOIN range(1, furthest + 1) AS step GROUP BY step ORDER BY step"""
    users = [str(count) for _, count in world.client.query(query).result_rows]
    shown = page.locator("#p-steps tbody td:nth-child(3) data")
    assert [each.get_attribute("value") for each in shown.all()] == users
    page.get_by_role("link", name="cart", exact=True).click()
    page.wait_for_url("**step=3*")
    stopped = world.one(
        "SELECT user_id FROM marts.fct_funnel_user WHERE funnel = 'search_to_purchase' GROUP BY user_id "
        "HAVING max(furthest_step) = 3 ORDER BY max(furthest_at) DESC, user_id LIMIT 1"
    )
    assert stopped in column(page, "users", 0)


def test_an_experiment_has_its_verdict_its_interval_and_its_split(world: World, page: Page) -> None:
    page.goto(f"{world.address}/experiments")
    verdict, reason = world.client.query(
        "SELECT verdict, reason FROM marts.experiment_results WHERE experiment_name = 'button' AND is_primary"
    ).result_rows[0]
    assert reason in column(page, "verdicts", 3)
    assert page.locator(f"#p-verdicts .verdict.{verdict}").count() == 1
    users = "SELECT exposed_users FROM marts.fct_experiment WHERE experiment_variation = 'green'"
    assert column(page, "split", 1)[1].replace(",", "") == str(world.one(users))
    assert "split" in page.locator("#p-split p", has_text="split").first.inner_text()
    assert page.locator("#p-looks .band").count() >= 1


def test_search_finds_a_planted_event_as_one_types(world: World, page: Page, landing: Landing) -> None:
    planted = event("click", now(), user_id="planted-user", properties='{"secret": {"word": "xylophone"}}')
    landing.land(pl.DataFrame([planted], schema_overrides={"quantity": pl.Int64}))
    page.goto(f"{world.address}/events")
    page.get_by_label("Search").press_sequentially("xylophone", delay=30)
    eventually(lambda: column(page, "found", 2) == ["planted-user"])
    assert page.url.endswith("/events?q=xylophone&range=24h")
    page.get_by_label("Search").fill("properties.secret.word=nothing")
    page.get_by_text("No event matches").wait_for()
    page.get_by_label("Search").fill("colour=red")
    page.get_by_text("there is no field 'colour'").wait_for()


def test_an_incident_is_acknowledged_from_the_page_and_from_nowhere_else(world: World, page: Page) -> None:
    world.client.command("TRUNCATE TABLE ops.incident_actions")
    insert_incident(world.client, "trouble-1", "Sales <b>doubled</b>", state="open")
    form = "fingerprint=trouble-1"
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert world.post("/incidents/acknowledge", form, **headers).status == 403
    assert world.one("SELECT count() FROM ops.incident_actions") == 0
    page.goto(f"{world.address}/health")
    page.get_by_role("button", name="Acknowledge: Sales <b>doubled</b>").click()
    page.get_by_text("acknowledged by dashboard").wait_for()
    assert page.get_by_role("button", name="Acknowledge").count() == 0
    assert world.client.query("SELECT fingerprint, action, by FROM ops.incident_actions").result_rows == [
        ("trouble-1", "ack", "dashboard")
    ]


def test_every_panels_rows_can_be_had_as_files(world: World) -> None:
    for page in PAGES:
        for panel in page.panels:
            if panel.has_download:
                table = world.get(f"/download/{page.name}/{panel.name}.csv?experiment=button&range=30d")
                assert (table.status, table.headers["content-type"]) == (200, "text/csv; charset=utf-8"), panel.name
                assert table.body.startswith(b'"'), panel.name
    file = world.get("/download/users/top.parquet?range=30d&device=tablet")
    rows = pl.read_parquet(io.BytesIO(file.body))
    assert rows.height == world.one("SELECT count() FROM marts.fct_user WHERE last_device = 'tablet'")
    assert world.get("/download/users/nothing.csv").status == 404


def test_an_address_that_makes_no_sense_gets_a_page_and_no_traceback(world: World) -> None:
    assert world.get("/nowhere").status == 404
    for query in ("range=never", "step=x", "device=%00%FF", f"item={'x' * 5000}", "q='", "country=%27%20OR%201=1"):
        for page in NAMES:
            answer = world.get(f"/{page}?{query}")
            assert answer.status == 200, (page, query)
            assert 'data-state="error"' not in answer.text, (page, query)


def test_every_answer_has_the_headers_that_keep_strangers_out(world: World) -> None:
    for path in ("/live", "/data/live", "/static/dashboard.js", "/nowhere", "/download/users/top.csv"):
        headers = world.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path


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
