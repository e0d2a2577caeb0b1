"""The check's verdict: which hours it judges, and how it explains itself."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import polars as pl

from contracts.settings import Settings
from orchestration.checks.item_sales import hours_to_judge, markdown_table, verdict

HOUR = datetime(2026, 5, 4, 13, tzinfo=UTC)
SETTINGS = Settings(_env_file=None, alert_sales_ratio=1.5, alert_sales_min=20)


def items(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    schema = {"item_id": pl.String, "item_category": pl.String, "sales": pl.Int64, "history": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_a_spike_across_the_full_hour_is_still_judged_for_ten_minutes() -> None:
    assert hours_to_judge(HOUR.replace(minute=3)) == [HOUR.replace(hour=12), HOUR]
    assert hours_to_judge(HOUR.replace(minute=10)) == [HOUR]


def test_a_spike_fails_as_a_warning_with_the_item_in_a_table() -> None:
    result = verdict([(HOUR, items(("i1", "shoes", 90, 100), ("i2", "hats", 200, 2000)))], SETTINGS)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert "| i1 | shoes | 2026-05-04 13:00 | 90 | 10.0 | 9.0 |" in result.metadata["offending"].value
    assert "Item i1 sold 90" in result.description


def test_without_preceding_sales_it_passes_and_says_so() -> None:
    result = verdict([(HOUR, items(("i1", "shoes", 90, 0)))], SETTINGS)
    assert result.passed
    assert "Not enough history" in result.description


def test_an_empty_shop_passes() -> None:
    assert verdict([(HOUR, items())], SETTINGS).passed


def test_a_long_table_is_cut_with_a_note() -> None:
    many = pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(60)],
            "item_category": ["a|b"] * 60,
            "hour": ["h"] * 60,
            "sales": [30] * 60,
            "expected": [1.0] * 60,
            "ratio": [30.0] * 60,
        }
    )
    table = markdown_table(many)
    assert table.count("\n| i") == 50
    assert table.endswith("and 10 more")
    assert "a\\|b" in table
