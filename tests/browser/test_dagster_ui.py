"""What people see in Dagster: Chromium on its UI, with the project's own launcher, event log and checks behind it.

`make screenshots` keeps the pictures in docs/images.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from clickhouse_connect.driver.client import Client
from playwright.sync_api import Page, expect

from benchmarks.cadence.__main__ import summary
from benchmarks.cadence.measure import Cadence, measure, warm
from benchmarks.cadence.ways import WAYS, Webserver, running
from contracts.clickhouse import connect
from contracts.names import ITEM_SALES_CHECK
from contracts.settings import Settings
from tests.patience import WAIT_SECONDS
from tests.tables import drop_models, empty_raw

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]

HOPS = ("kafka", "raw", "staging", "intermediate", "marts", "live")
# Twenty items with two days of steady sales, and five of each in the running hour; one of them sells sixty more.
SALES = """
INSERT INTO raw.events (event_id, event_type, event_time, user_id, item_id, item_category, price, quantity,
    kafka_topic, kafka_offset, ingested_at)
SELECT generateUUIDv4(), 'purchase', toStartOfHour(now64(6)) - toIntervalHour(2 + intDiv(number, 100) % 48),
    toString(number % 50), concat('i', toString(number % 20)), 'shoes', 10, 1, 't', number, now64(3)
FROM numbers(4800)
UNION ALL
SELECT generateUUIDv4(), 'purchase', now64(6), toString(number % 50), concat('i', toString(number % 20)), 'shoes',
    10, 1, 't', 4860 + number, now64(3)
FROM numbers(100)
UNION ALL
SELECT generateUUIDv4(), 'purchase', now64(6), toString(number), 'i7', 'shoes', 10, 1, 't', 4800 + number, now64(3)
FROM numbers(60)
"""


@pytest.fixture(scope="module")
def client(clickhouse_server: Settings) -> Iterator[Client]:
    with connect(clickhouse_server) as client:
        empty_raw(client)
        drop_models(client)
        client.command(SALES)
        yield client
        empty_raw(client)
        drop_models(client)


@pytest.fixture(scope="module")
def dagster(
    client: Client, clickhouse_server: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webserver]:
    """A webserver on which the marts have been built once."""
    with running(WAYS["millrace"], tmp_path_factory.mktemp("dagster"), clickhouse_server) as server:
        warm(server)
        yield server


@pytest.fixture
def picture(page: Page, tmp_path: Path) -> Callable[[str], None]:
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)

    def take(name: str) -> None:
        page.wait_for_timeout(1_000)  # lines and texts are faded in
        path = folder / f"{name}.png"
        page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size < 300_000

    return take


def test_the_lineage_shows_every_hop(dagster: Webserver, page: Page, picture: Callable[[str], None]) -> None:
    page.goto(f"{dagster.address}/asset-groups")
    for hop in HOPS:
        expect(page.get_by_text(hop, exact=True).first).to_be_visible()
    picture("dagster-lineage")


def test_materialize_on_fct_item_succeeds(dagster: Webserver, page: Page, picture: Callable[[str], None]) -> None:
    key = dg.AssetKey(["marts", "fct_item"])
    before = dagster.instance.get_latest_materialization_event(key).run_id
    page.goto(f"{dagster.address}/assets/marts/fct_item")
    page.locator("button", has_text=re.compile("^Materialize$")).first.click()
    deadline = time.monotonic() + WAIT_SECONDS
    while (event := dagster.instance.get_latest_materialization_event(key)).run_id == before:
        assert time.monotonic() < deadline, "nothing was materialized"
        page.wait_for_timeout(200)
    assert event.asset_materialization.metadata["dagster/row_count"].value == 20
    assert "dagster/column_lineage" in event.asset_materialization.metadata
    page.goto(f"{dagster.address}/runs/{event.run_id}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    picture("dagster-run")
    page.goto(f"{dagster.address}/assets/marts/fct_item")
    expect(page.get_by_text("cart_to_purchase", exact=True).first).to_be_visible()
    picture("dagster-fct-item")


def test_the_checks_tab_shows_the_failed_check_with_its_table(
    dagster: Webserver, page: Page, picture: Callable[[str], None]
) -> None:
    address = f"{dagster.address}/assets/marts/fct_item_hourly?view=checks&checkDetail={ITEM_SALES_CHECK}"
    page.goto(address)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile("Item i7 sold 65"))).to_be_visible()
    picture("dagster-check")
    row = page.locator("tr", has_text="offending").filter(has_not_text="offending_items")
    row.get_by_text("[Show Markdown]").click()
    expect(page.get_by_role("cell", name="i7", exact=True)).to_be_visible()
    picture("dagster-check-table")


def test_the_benchmark_of_the_cadence_in_short(dagster: Webserver, clickhouse_server: Settings) -> None:
    """`make bench-cadence` does the same with a stock Dagster beside it, and for longer."""
    (server,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(clickhouse_server.millrace_home) in " ".join(process.info["cmdline"] or [])
        and "local.clickhouse" in (process.info["cmdline"] or [])
    ]
    found = measure(dagster, server, Cadence(seconds=1.0, runs=2), idle_seconds=0.5)
    assert found["asked"] == found["succeeded"] == 2
    assert 0 < found["start_s_p50"] < found["end_to_end_s_p50"]
    stock = found | {"end_to_end_s_p95": 10 * found["end_to_end_s_p95"], "keeps_up": True}
    summed = summary({"millrace": {"1": found}, "stock": {"1": stock}})
    assert summed["ratio_vs_stock"] == pytest.approx(10, abs=0.01)
