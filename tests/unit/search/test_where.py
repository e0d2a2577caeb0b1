"""The language of `--where`, without a server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import UserError
from search.fields import WORDS
from search.filters import Term, parse
from search.query import Search, Slice, statement
from sql.migrate import MIGRATIONS

_AHEAD = timedelta(days=1)


def read(*texts: str) -> list[tuple[str, str, object]]:
    return [(term.field.name, term.operator, term.value) for term in parse(texts)]


def test_terms_are_joined_within_a_text_and_between_texts() -> None:
    assert read("user=u1 AND page!=/cart", "query~red shoes") == [
        ("user_id", "=", "u1"),
        ("page", "!=", "/cart"),
        ("search_query", "~", "red shoes"),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("user = a b ", "a b"),
        ("user=a=b!=c~d", "a=b!=c~d"),
        ("user=", ""),
        ("user='it''s'", "it's"),
        ('user="a AND b"', "a AND b"),
        ("user=BRAND ANDREA", "BRAND ANDREA"),
        ("user=a and b", "a and b"),
    ],
)
def test_a_value_is_what_stands_between(text: str, value: str) -> None:
    assert read(text) == [("user_id", "=", value)]


@pytest.mark.parametrize(
    "text", ["", "user", "=a", "user=a AND", "user=a AND AND b=c", "user='a", "user='a'b", "a b=c", "properties=\0"]
)
def test_what_is_no_term_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse([text])


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_any_value_in_quotes_is_read_back_and_is_never_part_of_the_query(value: str) -> None:
    quoted = '"' + value.replace('"', '""') + '"'
    terms = parse([f"user={quoted} AND item=x"])
    assert [(term.field.name, term.value) for term in terms] == [("user_id", value), ("item_id", "x")]
    query, parameters = statement(Search(terms), Slice(), _AHEAD, 1)
    plain, _ = statement(Search(parse(["user=z AND item=x"])), Slice(), _AHEAD, 1)
    assert parameters["t0v"] == value
    assert query == plain or not any(each.isalnum() or not each.isascii() for each in value)


def test_keys_of_properties_are_bound_too() -> None:
    (term,) = parse(["properties.a);--.b=c"])
    exact, indexed, parameters = term.where("t")
    assert "--" not in "".join(exact + indexed)
    assert set(parameters.values()) == {"a);--", "b", "a);--.b", "c"}


def test_the_index_has_the_expression_that_the_queries_name() -> None:
    migration = (MIGRATIONS / "0010_search.sql").read_text()
    assert "".join(WORDS.split()) in "".join(migration.split())


def test_too_many_terms_are_refused() -> None:
    with pytest.raises(UserError, match="at most 50"):
        parse(["user=a"] * 51)
    assert all(isinstance(term, Term) for term in parse(["user=a"] * 50))
