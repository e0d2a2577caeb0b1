"""`millrace dead-letters list` and `show` on letters that a worker wrote."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.names import ROLE_INGEST
from contracts.settings import Settings
from local.clickhouse.config import passwords
from tests.integration.ingest_tools import Offsets, good, ingest_all, make_topic
from tests.integration.letters_tools import (
    BAD,
    BIG,
    BINARY,
    ESCAPES,
    UNICODE,
    MakeSettings,
    letters,
    place,
    produce_bad,
)

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]


@pytest.fixture
def settings(clickhouse: Client, make_settings: MakeSettings) -> Settings:
    return make_settings()


@pytest.fixture
def sent(settings: Settings) -> Offsets:
    """Where the bad messages lie, in the order of BAD; there are good ones between them."""
    make_topic(settings)
    produce_bad(settings, good(10))
    where = produce_bad(settings, BAD)
    ingest_all(settings)
    return where


def test_groups_say_how_many_of_which_reason_and_show_one(settings: Settings, sent: Offsets) -> None:
    groups = {group["reason"]: group for group in letters(settings, "list", "--json").json}
    assert {reason: group["count"] for reason, group in groups.items()} == {
        "not_json": 4, "unknown_envelope": 1, "null_value": 1, "not_an_object": 1
    }  # fmt: skip
    null = groups["null_value"]
    assert null["example"] == {"place": place(settings, sent[2]), "error": "the message has no value"}
    assert null["partitions"] == [sent[2][0]]
    assert null["first_seen"] <= null["last_seen"]
    text = letters(settings, "list").text
    assert all(reason in text for reason in groups)


def test_rows_are_single_letters_newest_first_and_safe_on_a_terminal(settings: Settings, sent: Offsets) -> None:
    produce_bad(settings, [b"the newest"])
    ingest_all(settings)
    rows = letters(settings, "list", "--rows", "--json").json
    assert rows[0]["excerpt"] == "the newest"
    assert {row["place"] for row in rows[1:]} == {place(settings, where) for where in sent}
    text = letters(settings, "list", "--rows").text
    assert r"\x1b[31mred\x1b[0m \u202e backwards" in text
    assert all(letter.isprintable() for line in text.splitlines() for letter in line)
    assert len(text.splitlines()) == len(BAD) + 2


def test_filters_choose(settings: Settings, sent: Offsets) -> None:
    expected = {
        "--reason unknown_envelope": 1,
        "--reason timestamp_out_of_range": 0,
        "--since 1h": 7,
        "--since 2999-01-01": 0,
        "--partition 2": 2,
        "--topic no-such-topic": 0,
        "--limit 3": 3,
        "--state replayed": 0,
        "--state all --partition 0": 2,
    }
    seen = {options: len(letters(settings, "list", "--rows", "--json", *options.split()).json) for options in expected}
    assert seen == expected


def test_show_says_everything_about_one(settings: Settings, sent: Offsets) -> None:
    text = letters(settings, "show", place(settings, sent[0])).text
    for part in ("not_json", r"\xff\x00", "zwölf", "header    empty: (null)", "key       k", UNICODE.decode()):
        assert part in text
    assert "f0 f1 f2 f3" in letters(settings, "show", place(settings, sent[1])).text
    assert "payload   null" in letters(settings, "show", place(settings, sent[2])).text
    assert "\x1b" not in letters(settings, "show", place(settings, sent[4])).text


def test_show_payload_writes_the_bytes_that_were_sent(settings: Settings, sent: Offsets) -> None:
    for value, where in zip((UNICODE, BINARY, None, BIG, ESCAPES), sent, strict=False):
        assert letters(settings, "show", "--payload", place(settings, where)).raw == (value or b"")


def test_an_unknown_place_is_one_line(settings: Settings, clickhouse: Client) -> None:
    done = letters(settings, "show", "nowhere:0:1")
    assert (done.code, done.error.count("\n")) == (2, 1)
    assert letters(settings, "list").text == "no open dead letters match\n"


def test_a_user_without_the_right_to_read_is_told_so_in_one_line(
    settings: Settings, clickhouse_server: Settings
) -> None:
    secret = passwords(clickhouse_server.millrace_home / "server")[ROLE_INGEST]
    changed = settings.model_copy(update={"clickhouse_user": ROLE_INGEST, "clickhouse_password": SecretStr(secret)})
    done = letters(changed, "list")
    assert (done.code, done.error.count("\n")) == (1, 1)
    assert "may not" in done.error
