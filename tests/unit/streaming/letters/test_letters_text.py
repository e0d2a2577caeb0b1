"""What anybody may have sent is shown without doing anything to the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from streaming.letters.text import excerpt, is_text, readable, safe, table


@given(st.binary(max_size=300), st.integers(5, 80))
def test_an_excerpt_of_any_bytes_is_one_printable_line_that_fits(data: bytes, most: int) -> None:
    shown = excerpt(data, most)
    assert shown.isprintable()
    assert cell_len(shown) <= most


@given(st.binary(max_size=300))
def test_any_bytes_are_readable_without_control_characters(data: bytes) -> None:
    assert all(each.isprintable() or each in "\n\t" for each in readable(data))


def test_control_and_direction_marks_are_escaped_and_letters_are_not() -> None:
    assert safe("a\x1b[2J\x07\r\n\t\x9b\u202e\u2028\U000e0001 ü日") == (
        r"a\x1b[2J\x07\r\n\t\x9b\u202e\u2028\U000e0001 ü日"
    )


def test_an_excerpt_says_that_something_is_missing() -> None:
    assert excerpt(b"x" * 61, 60) == "x" * 59 + "…"
    assert excerpt(b"x" * 60, 60) == "x" * 60
    assert excerpt(None) == "(null)"


def test_zero_bytes_and_broken_utf8_are_dumped_in_hex() -> None:
    assert not is_text(b"a\0b")
    assert not is_text("ü".encode()[:1])
    assert readable(b"a\0\xff") == f"00000000  {'61 00 ff':<48} a.."


def test_a_long_payload_is_cut_and_says_how_to_get_the_rest() -> None:
    assert readable(b"x" * 20_007).endswith("… 7 more characters; --payload writes all of it")
    assert readable(b"\0" * 4_100).endswith("… 4 more bytes; --payload writes all of it")


def test_columns_are_aligned_also_behind_wide_letters() -> None:
    lines = table(("a", "b"), [("日本", "x"), ("abc", "y")]).splitlines()
    assert [cell_len(line[: -len(last)]) for line, last in zip(lines, "bxy", strict=True)] == [6, 6, 6]
