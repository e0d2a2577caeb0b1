"""The expected sales and the 1.5x rule, on numbers one can check by hand."""

from __future__ import annotations

import polars as pl
import pytest

from orchestration.checks.item_sales_statistics import expected_sales, remarkable


def items(*rows: tuple[str, int, int]) -> pl.DataFrame:
    schema = {"item_id": pl.String, "sales": pl.Int64, "history": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_the_expected_sales_are_the_items_share_of_what_the_others_sell() -> None:
    frame = expected_sales(items(("a", 30, 1000), ("b", 60, 3000)))
    assert frame["expected"].to_list() == pytest.approx([20, 90], rel=0.01)
    assert frame["ratio"].to_list() == pytest.approx([1.5, 2 / 3], rel=0.01)


def test_an_hour_that_is_busy_for_all_items_is_not_remarkable() -> None:
    busy = items(("a", 500, 10), ("b", 1000, 20), ("c", 1500, 30))
    assert remarkable(busy, 1.5, 20).is_empty()


def test_an_item_that_is_most_of_the_shop_is_judged_by_its_share() -> None:
    assert remarkable(items(("a", 900, 9000), ("b", 100, 1000)), 1.5, 20).is_empty()


def test_a_spike_does_not_raise_its_own_bar() -> None:
    spike = items(("a", 1000, 100), ("b", 100, 1000))
    found = remarkable(spike, 1.5, 20)
    assert found["item_id"].to_list() == ["a"]
    assert found["expected"].item() == pytest.approx(10, rel=0.01)


def test_the_ratio_itself_is_already_remarkable_and_a_little_less_is_not() -> None:
    history = [("rest", 1000, 999_999), ("a", 0, 99_999)]
    expected = expected_sales(items(*history)).filter(pl.col("item_id") == "a")["expected"].item()
    assert expected == pytest.approx(100, rel=0.001)
    assert len(remarkable(items(history[0], ("a", 151, 99_999)), 1.5, 20)) == 1
    assert remarkable(items(history[0], ("a", 149, 99_999)), 1.5, 20).is_empty()


def test_fewer_sales_than_the_floor_are_never_remarkable() -> None:
    assert remarkable(items(("a", 19, 1), ("b", 100, 10_000)), 1.5, 20).is_empty()
    assert len(remarkable(items(("a", 20, 1), ("b", 100, 10_000)), 1.5, 20)) == 1


def test_an_item_without_history_has_an_expected_value() -> None:
    found = remarkable(items(("new", 25, 0), ("b", 100, 10_000)), 1.5, 20)
    assert found["item_id"].to_list() == ["new"]
    assert found["expected"].item() > 0


def test_a_shops_only_item_is_not_judged() -> None:
    assert remarkable(items(("a", 1000, 10)), 1.5, 20).is_empty()


def test_the_worst_item_comes_first() -> None:
    found = remarkable(items(("a", 50, 100), ("b", 90, 100), ("c", 1000, 100_000)), 1.5, 20)
    assert found["item_id"].to_list() == ["b", "a"]


def test_an_empty_hour_has_nothing_remarkable() -> None:
    assert remarkable(items(), 1.5, 20).is_empty()
