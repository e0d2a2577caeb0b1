"""What KAFKA_TOPIC may say."""

from __future__ import annotations

import pytest

from contracts.errors import UserError
from contracts.settings import Settings, load_settings
from contracts.topics import matching, missing_topics

KNOWN = ["clicks-de", "clicks-us", "orders", "__consumer_offsets"]


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("clicks", ("clicks",)),
        ("clicks, orders,clicks", ("clicks", "orders")),
        ("^clicks-.*", ("^clicks-.*",)),
        ("orders,^clicks-(de|us)$", ("orders", "^clicks-(de|us)$")),
    ],
)
def test_names_and_patterns_are_read(text: str, topics: tuple[str, ...]) -> None:
    assert Settings(_env_file=None, kafka_topic=text).topics == topics


@pytest.mark.parametrize("text", ["a,", "a b", "..", "clicks-*", "^clicks-(", r"^clicks-\d", "^", "a,,b"])
def test_what_is_neither_is_refused_by_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_TOPIC", text)
    with pytest.raises(UserError, match="KAFKA_TOPIC: '"):
        load_settings()


@pytest.mark.parametrize("text", ["a,b", "^clicks-.*"])
def test_only_one_plain_topic_can_be_written_to(text: str) -> None:
    with pytest.raises(UserError, match="name one topic"):
        _ = Settings(_env_file=None, kafka_topic=text).produced_topic
    assert Settings(_env_file=None, kafka_topic="one").produced_topic == "one"


@pytest.mark.parametrize(
    ("entries", "found", "missing"),
    [
        (("orders",), ["orders"], []),
        (("orders", "refunds"), ["orders"], ["refunds"]),
        (("^clicks-.*",), ["clicks-de", "clicks-us"], []),
        (("^.*",), ["clicks-de", "clicks-us", "orders"], []),
        (("^views-.*",), [], ["^views-.*"]),
        (("orders", "^views-.*"), ["orders"], []),
    ],
)
def test_a_pattern_matches_what_is_there_and_is_missed_only_when_it_is_all(
    entries: tuple[str, ...], found: list[str], missing: list[str]
) -> None:
    assert (matching(entries, KNOWN), missing_topics(entries, KNOWN)) == (found, missing)
