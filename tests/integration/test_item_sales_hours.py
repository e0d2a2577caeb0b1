"""Item sales read from ClickHouse: any hour of history can be judged as the check would have judged it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from orchestration.checks.item_sales import judge_hour, read_hour

pytestmark = pytest.mark.clickhouse

HOUR = datetime(2026, 5, 4, 13, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)
TABLE = """
CREATE TABLE marts.fct_item_hourly
(item_id String, event_hour DateTime('UTC'), item_category String, purchases UInt64)
ENGINE = MergeTree ORDER BY (item_id, event_hour)
"""
# Two days in which 30 items sell 10 an hour, and an item of this name 90 in the last hour but one.
SALES = """
INSERT INTO marts.fct_item_hourly
SELECT 'i' || toString(item), toDateTime({hour:DateTime('UTC')}, 'UTC') - toIntervalHour(ago), 'shoes',
    if(item = 7 AND ago = 1, 90, 10)
FROM (SELECT number % 30 AS item, intDiv(number, 30) AS ago FROM numbers(30 * 48))
"""


@pytest.fixture
def shop(clickhouse: Client, clean_marts: None) -> Client:
    clickhouse.command(TABLE)
    clickhouse.command(SALES, parameters={"hour": HOUR})
    return clickhouse


def test_the_hour_of_a_spike_is_told_with_its_item(shop: Client) -> None:
    found = judge_hour(shop, HOUR - timedelta(hours=1), SETTINGS)
    assert found.select("item_id", "item_category", "hour", "sales").rows() == [("i7", "shoes", "2026-05-04 12:00", 90)]
    assert found["expected"].item() == pytest.approx(10, rel=0.01)
    assert found["ratio"].item() == pytest.approx(9, rel=0.01)


def test_an_hour_is_judged_by_what_came_before_it_alone(shop: Client) -> None:
    assert judge_hour(shop, HOUR, SETTINGS).is_empty()
    assert judge_hour(shop, HOUR - timedelta(hours=2), SETTINGS).is_empty()
    assert judge_hour(shop, HOUR - timedelta(hours=47), SETTINGS, running=True).is_empty()


def test_four_weeks_of_history_are_read_and_no_more(shop: Client) -> None:
    old = "INSERT INTO marts.fct_item_hourly VALUES ('old', '2026-04-01 00:00:00', 'x', 5)"
    shop.command(old)
    read = read_hour(shop, HOUR, running=True)
    assert "old" not in read.items["item_id"]
    assert read.sales.count.sum() == 30 * 47 * 10 + 80
    assert read.counts.sum() == 300


def test_a_shop_without_sales_is_no_mistake(shop: Client) -> None:
    assert judge_hour(shop, HOUR - timedelta(days=400), SETTINGS).is_empty()
