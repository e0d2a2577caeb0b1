"""When a worker stops because what it reads are no events."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext

import pytest

from contracts.errors import Permanent
from streaming.ingest.limit import WINDOW, LetterLimit, Refusals
from streaming.ingest.records import Partition


def chunk(pattern: str) -> Refusals:
    """Messages in their order: 'x' was refused, '.' is an event."""
    reasons = Counter({"not_json": pattern.count("x")} if "x" in pattern else {})
    marks = {Partition("events", 0): [mark == "x" for mark in pattern]}
    return Refusals(len(pattern), marks, reasons, "not JSON: 'x'" if "x" in pattern else "")


def feed(limit: LetterLimit, patterns: list[str]) -> None:
    for pattern in patterns:
        limit.check(chunk(pattern))


@pytest.mark.parametrize(
    ("chunks", "stops"),
    [
        (["xxx"], True),
        (["xx.x"], False),
        ([".xxx."], True),
        (["..xx", "x..."], True),
        (["xx", "x"], True),
        (["xx", ".x", "x.", "xx"], False),
        (["x", "", "x", "", "x"], True),
        (["...", "...", "..."], False),
    ],
)
def test_a_run_is_counted_across_chunks_and_ends_with_an_event(chunks: list[str], stops: bool) -> None:
    expected = pytest.raises(Permanent, match="3 messages in a row of events:0 cannot be events")
    with expected if stops else nullcontext():
        feed(LetterLimit(run=3, share=0), chunks)


def test_the_share_is_not_judged_on_few_messages() -> None:
    limit = LetterLimit(run=0, share=0.1)
    limit.check(chunk("x" * (WINDOW - 1)))
    with pytest.raises(Permanent, match=f"{WINDOW} of the last {WINDOW} messages"):
        limit.check(chunk("x"))


def test_old_messages_leave_the_share() -> None:
    limit = LetterLimit(run=0, share=0.5)
    limit.check(chunk("x" * (WINDOW // 2)))
    for _ in range(20):
        limit.check(chunk("." * (WINDOW // 4)))
    limit.check(chunk("x" * (WINDOW // 4)))
    limit.check(chunk("x" * (WINDOW // 4 - 1) + "."))
    with pytest.raises(Permanent):
        limit.check(chunk("x" * (WINDOW // 4)))


def test_nothing_is_too_much_where_both_limits_are_off() -> None:
    limit = LetterLimit(run=0, share=0)
    for _ in range(5):
        limit.check(chunk("x" * WINDOW))


def test_the_error_names_the_leading_reason_an_example_and_the_setting() -> None:
    marks = {Partition("events", 0): [True] * 4}
    mixed = Refusals(4, marks, Counter({"not_json": 3, "null_value": 1}), "not JSON: 'hello'")
    with pytest.raises(Permanent) as stopped:
        LetterLimit(run=4, share=0).check(mixed)
    text = str(stopped.value)
    assert "75% of them not_json (such as: not JSON: 'hello')" in text
    assert "millrace dead-letters list" in text
    assert "INGEST_MAX_DEAD_LETTER_RUN" in text


def test_an_event_in_another_partition_ends_no_run() -> None:
    limit = LetterLimit(run=3, share=0)
    limit.check(chunk("xx"))
    limit.check(Refusals(1, {Partition("events", 1): (False,)}))
    with pytest.raises(Permanent):
        limit.check(chunk("x"))
