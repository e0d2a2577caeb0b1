"""Conversion, revenue, funnel steps and experiments read from ClickHouse: the queries, on tables of known rows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from orchestration.checks.catalogue import CONVERSION, FUNNEL_STEPS
from orchestration.checks.experiments import newest_looks, ready_verdict
from orchestration.checks.segments import Subject, segments_verdict
from orchestration.checks.shop import conversion_series, funnel_series, rate_rule, read_hours, revenue_series

pytestmark = pytest.mark.clickhouse

HOUR = datetime(2026, 5, 4, 13, tzinfo=UTC)
DAY = datetime(2026, 5, 4, tzinfo=UTC)
RULE = rate_rule(Settings(_env_file=None))
ITEMS = """
CREATE TABLE marts.fct_item_hourly
(item_id String, event_hour DateTime('UTC'), item_category String, views UInt64, purchases UInt64,
 revenue Decimal(38, 6)) ENGINE = MergeTree ORDER BY item_id
"""
# Ten items, two days; in the last hour nothing is bought of the shoes.
SALES = """
INSERT INTO marts.fct_item_hourly
SELECT 'i' || toString(item), toDateTime({hour:DateTime('UTC')}, 'UTC') - toIntervalHour(ago),
    if(item < 5, 'shoes', 'hats'), 1000, (if(item < 5 AND ago = 0, 0, 20) AS sold), sold * 5
FROM (SELECT number % 10 AS item, intDiv(number, 10) AS ago FROM numbers(480))
"""
FUNNEL = """
CREATE TABLE marts.fct_funnel
(funnel String, entry_date Date, device_type String, step UInt8, step_name String, users UInt64)
ENGINE = MergeTree ORDER BY funnel
"""
# Two weeks; on the last day every second user who usually reaches the cart does not.
STEPS = """
INSERT INTO marts.fct_funnel
SELECT 'buy', toDate({day:DateTime('UTC')}) - ago, device, step, ['product', 'cart', 'purchase'][step],
    multiIf(step = 1, 1000, step = 2, if(ago = 0, 100, 200), if(ago = 0, 50, 100))
FROM (SELECT intDiv(number, 6) AS ago, 1 + number % 3 AS step, if(number % 6 < 3, 'mobile', 'desktop') AS device
    FROM numbers(84))
"""


def test_views_that_lead_to_nothing_are_told_by_category(clickhouse: Client, clean_marts: None) -> None:
    clickhouse.command(ITEMS)
    clickhouse.command(SALES, parameters={"hour": HOUR})
    rows = read_hours(clickhouse, HOUR)
    for found in (conversion_series(rows, HOUR), revenue_series(rows, HOUR)):
        result = segments_verdict(Subject(CONVERSION, "category", "purchases", "views", "both"), found, RULE)
        assert result.metadata["offending_items"].value == ["shoes"]
        assert result.metadata["expected"].value == pytest.approx(100, rel=0.01)


def test_a_step_that_fewer_users_reach_is_told_and_the_next_one_is_not(clickhouse: Client, clean_marts: None) -> None:
    clickhouse.command(FUNNEL)
    clickhouse.command(STEPS, parameters={"day": DAY})
    subject = Subject(FUNNEL_STEPS, "step", "users", "users of the step before", "both", least_history=7)
    result = segments_verdict(subject, funnel_series(clickhouse, DAY), RULE)
    assert result.metadata["offending_items"].value == ["buy, step 2: cart"]
    assert (result.metadata["observed"].value, result.metadata["sample_size"].value) == (200, 2200)


def test_only_the_newest_look_at_an_experiment_counts(clickhouse: Client) -> None:
    clickhouse.command("TRUNCATE TABLE ops.experiment_results")
    for verdict, minute in (("ship", 0), ("keep_running", 1)):
        clickhouse.command(
            "INSERT INTO ops.experiment_results (experiment_name, experiment_variation, metric, is_primary, users, "
            "verdict, srm_segments, computed_at) VALUES ('e', 'b', 'conversion', true, 10, "
            f"'{verdict}', [], '2026-05-04 13:0{minute}:00')"
        )
    looks = newest_looks(clickhouse)
    assert looks["verdict"].to_list() == ["keep_running"]
    assert ready_verdict(looks).passed
    clickhouse.command("TRUNCATE TABLE ops.experiment_results")
