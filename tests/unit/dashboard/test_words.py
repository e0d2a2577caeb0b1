from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.errors import UserError
from dashboard.draw import numbers
from dashboard.filters import Filters
from dashboard.pages.events import terms
from dashboard.pages.experiments import split_words
from dashboard.pages.health import audit_words

SPLIT: dict[str, Any] = {"planned": "a 0.5, b 0.5", "flagged": False, "split_p": 0.4, "segments": [], "off_since": None}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, numbers.NOTHING),
        (0, "0.0 s"),
        (9.96, "10.0 s"),
        (42, "42 s"),
        (61, "1 min 01 s"),
        (3_700, "1 h 01 min"),
        (200_000, "2.3 days"),
    ],
)
def test_a_duration_is_said_in_the_unit_that_suits_it(seconds: float | None, words: str) -> None:
    assert numbers.duration(seconds) == words


def test_numbers_that_are_none_are_a_dash() -> None:
    for show in (numbers.count, numbers.decimal, numbers.money, numbers.percent):
        assert show(None) == show(float("nan")) == numbers.NOTHING


def test_a_split_is_judged_in_words() -> None:
    assert split_words(SPLIT).startswith("Users are split as planned (a 0.5, b 0.5)")
    off = SPLIT | {"flagged": True, "segments": ["mobile"], "off_since": datetime(2026, 3, 1, tzinfo=UTC)}
    assert "mismatch" in split_words(off)
    assert "in mobile, since 2026-03-01 00:00:00 UTC" in split_words(off)
    assert "not been judged" in split_words(SPLIT | {"flagged": None})


def test_the_ledger_is_judged_in_words() -> None:
    fine = {"missing": 0, "doubled": 0, "mixed": 0}
    assert audit_words(fine) == "Every offset once"
    assert "gaps" in audit_words(fine | {"missing": 1})
    assert "twice" in audit_words(fine | {"mixed": 1})


def found(**values: str) -> list[tuple[str, str, object]]:
    return [(term.field.name, term.operator, term.value) for term in terms(Filters(values, datetime.now(UTC)))]


def test_words_are_searched_for_anywhere_and_fields_as_they_are_named() -> None:
    assert found(q="green hat") == [("text", "~", "green hat")]
    assert found(q='user="u 1" AND price=3') == [("user_id", "=", "u 1"), ("price", "=", "3")]
    assert found(q='say "hat"') == [("text", "~", 'say "hat"')]
    assert found(device='a"b', country="(none)") == [("device_type", "=", 'a"b'), ("country", "=", "")]


def test_a_search_that_cannot_be_understood_says_how_to_write_it() -> None:
    for typed in ("user=1 AND", "nothing=1", "***"):
        with pytest.raises(UserError):
            found(q=typed)
