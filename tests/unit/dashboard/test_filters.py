from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dashboard.filters import LIVE_RANGES, NONE, RANGES, Filters, read_filters

NOW = datetime(2026, 3, 1, 12, 30, 30, 5, tzinfo=UTC)


def filters(query: dict[str, str], ranges: tuple[str, ...] = tuple(RANGES), default: str = "7d") -> Filters:
    return read_filters(query, NOW, ranges, default)


def test_looks_within_a_minute_ask_for_the_same_stretch() -> None:
    first = filters({"range": "1h"})
    assert (first.since, first.until) == (
        datetime(2026, 3, 1, 11, 31, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 31, tzinfo=UTC),
    )
    later = read_filters({"range": "1h"}, NOW + timedelta(seconds=20), tuple(RANGES), "7d")
    assert later.parameters() == first.parameters()


def test_looks_at_days_ask_for_the_same_stretch_for_ten_minutes() -> None:
    first = filters({"range": "7d"})
    assert first.until == datetime(2026, 3, 1, 12, 40, tzinfo=UTC)
    later = read_filters({"range": "7d"}, NOW + timedelta(minutes=9), tuple(RANGES), "7d")
    assert later.parameters() == first.parameters()


def test_an_unknown_range_is_left_out_and_said() -> None:
    found = filters({"range": "yesterday"})
    assert found.range == "7d"
    assert "yesterday" in found.notes[0]


def test_a_range_that_another_page_has_becomes_the_longest_and_stays_in_the_address() -> None:
    found = filters({"range": "30d"}, LIVE_RANGES, "30m")
    assert found.range == "6h"
    assert found.address("/users") == "/users?range=30d"


def test_an_empty_filter_is_any_and_none_is_what_clients_left_out() -> None:
    assert filters({"device": " "}).parameters()["any_device"] == 1
    parameters = filters({"device": NONE}).parameters()
    assert (parameters["any_device"], parameters["device"]) == (0, "")


def test_a_changed_address_keeps_the_other_filters_and_drops_the_empty() -> None:
    found = filters({"device": "mobile", "item": "a&b"})
    assert found.address("/items", item=None) == "/items?device=mobile"
    assert found.address("/items", device="") == "/items?item=a%26b"


def test_a_step_that_is_no_number_is_said() -> None:
    for step in ("x", "0", "-1", "\N{FULLWIDTH DIGIT ONE}", "1000"):
        assert filters({"step": step}).notes, step
        assert filters({"step": step}).parameters()["step"] == 1


def test_values_are_cut_and_have_no_zero_bytes() -> None:
    assert filters({"item": "x\0" * 1_000}).get("item") == "x" * 250
