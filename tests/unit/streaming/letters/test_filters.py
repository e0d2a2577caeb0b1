"""Places, times and words as users write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.errors import UserError
from streaming.letters.filters import Filters, Place, checked_reason, checked_state, parse_place, parse_since

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_place_is_read_back_as_it_is_written() -> None:
    place = Place("clicks.eu-1_x", 3, 2**53)
    assert parse_place(str(place)) == place


@pytest.mark.parametrize(
    "text", ["", "topic", "topic:1", "topic:x:1", "topic:-1:1", "a:b:1:2", ":1:2", "t:1:٣", "t:9999999999:1", "t o:1:2"]
)
def test_what_is_no_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="TOPIC:PARTITION:OFFSET"):
        parse_place(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", datetime(2026, 3, 10, 11, 58, 30, tzinfo=UTC)),
        ("30m", datetime(2026, 3, 10, 11, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        (" 3d ", datetime(2026, 3, 7, 12, tzinfo=UTC)),
        ("1w", datetime(2026, 3, 3, 12, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00+05:30", datetime(2026, 3, 1, 4, 30, tzinfo=UTC)),
        ("2026-03-01 10:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_since_is_a_span_or_a_time(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "2", "h", "-2h", "2y", "yesterday", "1e3s", "2026-13-01", "999999w", "٢h", "0001-01-01T00:00:00+05:00"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="2026-01-31T12:00:00Z"):
        parse_since(text, NOW)


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="null_value, "):
        checked_reason("null-value")
    with pytest.raises(UserError, match="open, replayed, dropped, all"):
        checked_state("done")


def test_no_word_of_a_user_gets_into_the_query_itself() -> None:
    condition, parameters = Filters(topic="'; DROP", reason="not_json", partition=1, since=NOW).where()
    assert "DROP" not in condition
    assert parameters["topic"] == "'; DROP"


def test_only_the_state_does_not_narrow_a_selection() -> None:
    assert not Filters(state="all").narrows()
    assert Filters(partition=0).narrows()
    assert Filters(places=(Place("t", 0, 0),)).narrows()
