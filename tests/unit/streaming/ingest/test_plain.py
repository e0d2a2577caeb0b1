"""The fast path reads a message exactly as the tolerant one does, or leaves it to that one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.clock import ManualClock
from contracts.event import ALIASES, FIELDS
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.policy import DecodePolicy
from streaming.ingest.records import Partition
from tests.unit.streaming.ingest.messages import FakeMessage, as_json, event, with_raw

ROOM = 10_000


class TolerantOnly(Decoder):
    """A decoder whose fast path leaves out everything."""

    def plain(self, values: Sequence[bytes | None]) -> tuple[dict[str, Any], Any]:
        return {}, np.empty(0, np.int64)


def landed(decoder: Decoder, values: Sequence[bytes | None]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of both raw tables, by offset."""
    messages = [FakeMessage(value, offset) for offset, value in enumerate(values)]
    chunk = decode_chunk(messages, {Partition("events", 0): Position(0)}, decoder)
    rows = [row for part in chunk.events for row in part.to_pylist()]
    letters = chunk.letters.to_pylist() if chunk.letters else []
    return sorted(rows, key=lambda row: row["kafka_offset"]), letters


def same_both_ways(values: Sequence[bytes | None]) -> None:
    assert landed(Decoder(ManualClock()), values) == landed(TolerantOnly(ManualClock()), values)


def plain_rows(*values: bytes | None, max_bytes: int = ROOM) -> list[int]:
    """Which values the fast path takes."""
    kept: list[int] = Decoder(ManualClock(), DecodePolicy(max_bytes=max_bytes)).plain(values)[1].tolist()
    return kept


# One piece of JSON for each field: as the contract writes it, in other accepted spellings, and broken.
TEXTS = """
"a" | "ü😀" | "\\u00fc\\ud83d\\ude00" | "a\\nb" | "" | null | true | [] | {}
""".strip()
NUMBERS = """
1 | -0 | 1.50 | 1e3 | 007 | 01 | 12.34 | -0.5 | 0.1234567 | 999999999999.999999 | 1000000000000
2147483647 | 2147483648 | -2147483648 | \t1 | 1767225600000 | 1767225600 | 1e400 | 99999999999999999999
""".strip()
TIMES = """
"2026-01-01T00:00:00Z" | "2025-02-30T00:00:00Z" | "2025-12-31T23:59:59.123Z" | "2025-12-31T23:59:59.123456Z"
"2025-12-31T23:59:59.12Z" | "2025-12-31T24:00:00Z" | "2025-12-31T23:59:59+02:00" | "2025-12-31 23:59:59Z"
"2030-01-01T00:00:00Z" | "1999-12-31T23:59:59Z"
""".strip()
IDS = """
"0190163d-8694-739b-aea5-966c26f8ad90" | "0190163D-8694-739B-AEA5-966C26F8AD90"
"0190163d8694739baea5966c26f8ad90" | "0190163d-8694-739b-aea5-966c26f8ad9g"
"0190163d-8694-739b-aea5-966c26f8ad 0" | "0190163d-86943739b-aea5-966c26f8ad90"
""".strip()
OBJECTS = '{"a": 1} | {"a":1,"a":2} | { } | {"b":{"c":[1.10]}}'
PIECES = [
    *(
        piece.strip(" ")
        for text in (TEXTS, NUMBERS, TIMES, IDS, OBJECTS)
        for piece in text.replace("\n", "|").split("|")
    ),
    '{"a":\n1}',
]


@pytest.mark.parametrize("field", [*FIELDS, *ALIASES, "other"])
def test_every_field_with_every_piece_reads_the_same_both_ways(field: str) -> None:
    base = {name: value for name, value in event().items() if name != field}
    written = json.dumps(base)[:-1]
    same_both_ways([f'{written}, "{field}": {piece}}}'.encode() for piece in PIECES] + [as_json()])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.none()
        | st.binary(max_size=30)
        | st.just(as_json())
        | st.builds(
            lambda name, piece: with_raw(f'"{name}":{piece}'), st.sampled_from([*FIELDS, "x"]), st.sampled_from(PIECES)
        ),
        max_size=12,
    )
)
def test_mixed_chunks_read_the_same_both_ways(values: list[bytes | None]) -> None:
    same_both_ways(values)


def test_two_events_in_one_message_beside_an_empty_message_are_not_taken_apart() -> None:
    """Messages are joined with line breaks, so a break inside one must not shift those that follow."""
    values = [as_json(user_id="a") + b"\n" + as_json(user_id="b"), b"", as_json(user_id="c")]
    assert plain_rows(*values) == [2]
    same_both_ways(values)


def test_events_of_the_contract_never_need_the_tolerant_path() -> None:
    full = as_json(item_id="1", price=12.5, quantity=2, properties={"a": 1}, search_query="größe 😀")
    late = as_json(timestamp=1_767_225_600_000)
    assert plain_rows(as_json(), full, late, as_json(item_id=None)) == [0, 1, 2, 3]


def test_one_broken_message_costs_its_neighbours_nothing() -> None:
    assert plain_rows(as_json(), b"bad", None, b"\xff", as_json()) == [0, 4]


@pytest.mark.parametrize("piece", ['"referrer":"ÿ"', '"properties":{"a":"ÿ"}', '"properties":{"ÿ":1}'])
def test_broken_text_is_found_wherever_it_stands(piece: str) -> None:
    broken = with_raw(piece).replace("ÿ".encode(), b"\xff")
    assert plain_rows(as_json(), broken, as_json()) == [0, 2]
    same_both_ways([as_json(), broken])


def test_a_message_beyond_the_limit_is_left_to_the_tolerant_path() -> None:
    assert plain_rows(as_json(), as_json(page_url="x" * 500), max_bytes=400) == [0]
