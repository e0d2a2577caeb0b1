"""Whatever is on the topic ends in exactly one table, and an event keeps what its client sent.

Each input is decoded, and read a second time by an independent reference. The short form runs with all tests;
`make fuzz` generates at least EXAMPLES=100000 inputs and says how many of which kind.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings

from contracts.clock import ManualClock
from contracts.event import ALIASES, FIELDS, REJECT_REASONS
from streaming.ingest.batch import Chunk
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.records import Partition
from tests.fuzz.inputs import AT_ONCE, DEEP, KINDS, NUMBERS, SHARES, STRANGE, written
from tests.fuzz.reference import ANY, NOW, Refused, expected, parse
from tests.unit.streaming.ingest.messages import EVENT_ID, FakeMessage

EXAMPLES = int(os.environ.get("EXAMPLES", "3000"))
PLACE = Partition("events", 0)
HEADERS: list[tuple[str, bytes | None]] = [("trace", b"\xff"), ("empty", None), ("trace", b"2")]
PLAIN = {"event_id": f'"{EVENT_ID}"', "event_type": '"click"', "timestamp": '"2025-12-31T00:00:00Z"', "user_id": '"u1"'}
generated: Counter[str] = Counter()
ended: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def account(request: pytest.FixtureRequest) -> Iterator[None]:
    """Say at the end what was generated and where it ended."""
    yield
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and generated:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in generated.items())
        reporter.write_line(f"\n{sum(generated.values()):,} inputs: {kinds}; ended as {dict(ended)}")


def decoded(values: list[bytes | None], epoch: int = 0) -> Chunk:
    """The chunk of one message a value, at offsets 0, 1, …"""
    messages = [FakeMessage(value, offset_=offset, headers_=HEADERS) for offset, value in enumerate(values)]
    return decode_chunk(messages, {PLACE: Position(0, epoch=epoch)}, Decoder(ManualClock(NOW)))


def rows(chunk: Chunk) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return [
        row for part in chunk.events for row in part.to_pylist()
    ], chunk.letters.to_pylist() if chunk.letters else []


def agrees(row: dict[str, Any], value: bytes | None) -> None:
    """Hold a row of raw.events to what the reference reads in the value."""
    wanted = expected(value)
    found = row | {
        "event_id": row["event_id"].hex(),
        "event_time": row["event_time"].astimezone(UTC),
        "properties": parse(row["properties"] or "{}"),
    }
    for name, each in wanted.items():
        # An absent text is '' in the table and may be None on the way to it.
        assert each is ANY or found[name] == each or (each == "" and found[name] is None), name


def check(value: bytes) -> None:
    """Hold one input to the promises: one place, nothing lost on the way."""
    events, letters = rows(decoded([value]))
    assert len(events) + len(letters) == 1
    (row,) = events + letters
    assert row["kafka_offset"] == 0
    if events:
        agrees(row, value)
    else:
        assert (row["payload"], row["key"], row["error_class"] in REJECT_REASONS) == (value, b"u1", True)
        assert [(header["name"], header["value"]) for header in row["headers"]] == HEADERS
        refused(value)
    ended["events" if events else row["error_class"]] += 1


def refused(value: bytes | None) -> None:
    """Hold a refusal to the reference: it refuses too, or leaves the spelling open."""
    try:
        wanted = expected(value)
    except Refused:
        return
    assert any(each is ANY for each in wanted.values()), f"refused although it is an event: {wanted}"


@pytest.mark.parametrize("kind", KINDS)
def test_each_input_ends_in_one_place_as_the_reference_reads_it(kind: str) -> None:
    @settings(
        max_examples=int(EXAMPLES * SHARES.get(kind, 0.3) / AT_ONCE.get(kind, 5)) + 1,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(KINDS[kind])
    def fuzz(values: list[bytes]) -> None:
        for value in values:
            generated[kind] += 1
            note(f"bytes: {value!r}")
            check(value)

    fuzz()


@pytest.mark.parametrize("name", [*FIELDS, *ALIASES, "unknown"])
def test_every_strange_text_in_every_field(name: str) -> None:
    for text in (*STRANGE.split(), *DEEP, *NUMBERS.split(), *(f'"{number}"' for number in NUMBERS.split())):
        others = {key: value for key, value in PLAIN.items() if key != name}
        value = written([*others.items(), (name, text)])
        generated["one strange field"] += 1
        try:
            check(value)
        except AssertionError as error:
            raise AssertionError(f"{error}: {value!r}") from error
