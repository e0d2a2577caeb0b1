"""The check's verdict: which hours it judges, and how it explains itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import polars as pl
import pytest

from contracts.settings import Settings
from orchestration.checks.item_sales import HISTORY_HOURS, HourOfSales, hours_to_judge, sales_verdict
from orchestration.checks.item_sales_baseline import Sales

HOUR = datetime(2026, 5, 4, 13, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)


def hour(sales: dict[str, float], per_hour: float = 10.0, *, running: bool = True) -> HourOfSales:
    """An hour with these sales, after a day in which every item sold `per_hour`."""
    items = pl.DataFrame(
        {"item_id": list(sales), "item_category": ["sho|es"] * len(sales), "sales": [float(n) for n in sales.values()]},
        schema={"item_id": pl.String, "item_category": pl.String, "sales": pl.Float64},
    )
    places = np.tile(np.arange(len(sales)), 24)
    hours = np.repeat(np.arange(HISTORY_HOURS - 24, HISTORY_HOURS), len(sales))
    kept = slice(None) if per_hour else slice(0)
    counts = np.full(places.size, per_hour)
    return HourOfSales(HOUR, running, items, Sales(len(sales), HISTORY_HOURS, places[kept], hours[kept], counts[kept]))


def others(count: int, sales: float = 10.0) -> dict[str, float]:
    return {f"i{number}": sales for number in range(1, count + 1)}


def test_the_hour_before_is_judged_until_the_next_one_is_complete() -> None:
    before = HOUR.replace(hour=12)
    for minute in (0, 59):
        assert hours_to_judge(HOUR.replace(minute=minute)) == [(before, False), (HOUR, True)]


def test_a_spike_fails_as_a_warning_that_explains_itself() -> None:
    result = sales_verdict([hour({"hot": 90, **others(30)})], SETTINGS)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert "Item hot sold 90 in the hour of 2026-05-04 13:00 UTC, expected 10.0 (9.0x)" in result.description
    metadata = {name: value.value for name, value in result.metadata.items()}
    assert "| hot | sho\\|es | 2026-05-04 13:00 | 90 | 10.0 | 9.0 |" in metadata["offending"]
    assert metadata["offending_items"] == ["hot"]
    assert (metadata["observed"], metadata["expected"], metadata["ratio"]) == (90, 10, 9)
    assert metadata["sample_size"] == 390
    assert metadata["group"] == "remarkable"
    assert metadata["held_back"] == ""
    assert metadata["detector"].startswith("significant: ")


def test_a_spike_is_drawn_beside_what_was_expected() -> None:
    result = sales_verdict([hour({"hot": 90, **others(30)})], SETTINGS)
    chart = json.loads(json.dumps(result.metadata["chart"].value))
    assert len(chart["times"]) == len(chart["observed"]) == len(chart["expected"]) == len(chart["upper"]) == 48
    assert chart["times"][-1] == "2026-05-04T13:00:00+00:00"
    assert chart["observed"][-2:] == [10, 90]
    assert chart["expected"][-2:] == pytest.approx([10, 10], rel=0.01)
    assert chart["observed"][-1] > chart["upper"][-1] > chart["expected"][-1]
    assert "observed" in result.metadata["plot"].value


def test_the_worst_of_both_hours_comes_first_and_an_item_is_named_once() -> None:
    result = sales_verdict([hour({"hot": 60, **others(30)}), hour({"hot": 90, "b": 40, **others(30)})], SETTINGS)
    assert result.metadata["offending_items"].value == ["hot", "b"]
    assert result.metadata["observed"].value == 90


def test_a_spike_is_held_back_and_says_so_while_something_upstream_explains_it() -> None:
    spike = [hour({"hot": 90, **others(30)})]
    held = sales_verdict(spike, SETTINGS, "raw_is_fresh fails upstream, which may explain it.")
    assert held.passed
    assert held.metadata["held_back"].value == "raw_is_fresh fails upstream, which may explain it."
    assert held.description.startswith("Held back: raw_is_fresh fails upstream")
    assert held.metadata["offending_items"].value == ["hot"]
    calm = sales_verdict([hour(others(30))], SETTINGS, "raw_is_fresh fails upstream, which may explain it.")
    assert calm.metadata["held_back"].value == ""


def test_the_plain_rule_is_named_in_its_verdict() -> None:
    plain = Settings(_env_file=None, alert_sales_rule="plain")
    result = sales_verdict([hour({"a": 25, **others(30)}, per_hour=14.0)], plain)
    assert result.metadata["offending_items"].value == ["a"]
    assert result.metadata["detector"].value.startswith("plain: 1.5 times")
    assert sales_verdict([hour({"a": 25, **others(30, 14.0)}, per_hour=14.0)], SETTINGS).passed


def test_without_preceding_sales_it_passes_and_says_so() -> None:
    result = sales_verdict([hour({"a": 90, "b": 10}, per_hour=0)], SETTINGS)
    assert result.passed
    assert "Not enough history" in result.description


def test_an_empty_shop_passes() -> None:
    assert sales_verdict([hour({})], SETTINGS).passed


def test_a_long_table_is_cut_with_a_note() -> None:
    crowd = {f"hot{number}": 90.0 for number in range(60)}
    table = sales_verdict([hour({**crowd, **others(600)})], SETTINGS).metadata["offending"].value
    assert table.count("\n| hot") == 50
    assert table.endswith("and 10 more")
