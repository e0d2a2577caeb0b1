"""`millrace dead-letters replay` and `drop`: the same bytes once more, once, whatever dies half-way."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.integration.ingest_tools import (
    Offsets,
    good,
    in_both,
    ingest_all,
    landed,
    make_topic,
    running_worker,
    wait_until,
)
from tests.integration.letters_tools import (
    BAD,
    MakeSettings,
    actions,
    everything,
    letters,
    letters_process,
    place,
    produce_bad,
    replays,
    topic_content,
)

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]

DIE = "__import__('os').kill(__import__('os').getpid(), 9)"
# The shortest wait that still lets a real broker answer.
FAST = "import cli.dead_letters as c; c.DELIVERY_SECONDS = 2.0; import streaming.letters.replay as r"


@pytest.fixture
def settings(clickhouse: Client, make_settings: MakeSettings) -> Settings:
    settings = make_settings()
    make_topic(settings)
    return settings


@pytest.fixture
def sent(settings: Settings) -> Offsets:
    """Where the bad messages lie, in the order of BAD, in the topic and in raw.dead_letters."""
    where = produce_bad(settings, BAD, keys=(b"k", None, b"\xfe\xff"))
    ingest_all(settings)
    return where


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What FAST is to a process."""
    monkeypatch.setattr("cli.dead_letters.DELIVERY_SECONDS", 2.0)


def replay_all(settings: Settings, *more: str) -> str:
    done = letters(settings, "replay", "--topic", settings.kafka_topic, "--yes", *more)
    assert done.code == 0, done.error
    return done.text


def test_a_replay_sends_the_same_bytes_key_and_headers_and_each_offset_is_in_raw_once(
    clickhouse: Client, settings: Settings, sent: Offsets
) -> None:
    before = {message.place: message for message in topic_content(settings)}
    assert "replayed 7 dead letters" in replay_all(settings)
    again = replays(settings)
    assert set(again) == {place(settings, where) for where in sent}
    for value, where in zip(BAD, sent, strict=True):
        (copy,) = again[place(settings, where)]
        assert (copy.value, copy.key) == (value, before[where].key)
        assert copy.headers == [*before[where].headers, ("millrace-replay-of", place(settings, where).encode())]
    ingest_all(settings)
    assert in_both(clickhouse, settings) == everything(settings)
    assert len(landed(clickhouse, settings, "raw.dead_letters")) == 2 * len(BAD)


def test_replayed_letters_say_where_they_went_and_what_they_became(settings: Settings, sent: Offsets) -> None:
    replay_all(settings)
    rows = letters(settings, "list", "--rows", "--json", "--state", "replayed").json
    went = {origin: place(settings, copies[0].place) for origin, copies in replays(settings).items()}
    assert {row["place"]: row["went_to"] for row in rows} == went
    assert "not written yet" in letters(settings, "show", place(settings, sent[0])).text
    ingest_all(settings)
    assert "a dead letter again" in letters(settings, "show", place(settings, sent[0])).text
    assert {row["place"] for row in letters(settings, "list", "--rows", "--json").json} == set(went.values())


def test_a_letter_that_ingest_can_read_by_now_becomes_an_event(clickhouse: Client, settings: Settings) -> None:
    where = produce_bad(settings, good(1))[0]
    clickhouse.command(
        "INSERT INTO raw.dead_letters (payload, kafka_topic, kafka_partition, kafka_offset, error_class, ingested_at) "
        "VALUES",
        data=f"('{good(1)[0].decode()}', '{settings.kafka_topic}', {where[0]}, {where[1]}, 'not_json', now64(3))",
    )
    replay_all(settings)
    ingest_all(settings)
    assert "where it is an event" in letters(settings, "show", place(settings, where)).text


def test_replaying_twice_sends_once(settings: Settings, sent: Offsets) -> None:
    replay_all(settings)
    again = letters(settings, "replay", "--topic", settings.kafka_topic, "--yes")
    named = letters(settings, "replay", place(settings, sent[2]), "--yes")
    assert (again.code, again.error) == (1, "millrace: nothing to replay: no open dead letters match\n")
    assert (named.code, "is left alone: it was replayed to" in named.text) == (0, True)
    assert Counter(map(len, replays(settings).values())) == {1: len(BAD)}


def test_a_letter_that_fails_again_can_be_replayed_again(settings: Settings, sent: Offsets) -> None:
    replay_all(settings)
    ingest_all(settings)
    assert "replayed 7 dead letters" in replay_all(settings)
    assert len(replays(settings)) == 2 * len(BAD)
    assert len(everything(settings)) == 3 * len(BAD)


@pytest.mark.parametrize(
    "death",
    [
        (f"r.TopicReader.reach = lambda *_: {DIE}", 0, "replayed 7 dead letters\n"),
        (f"c.Sender.send = lambda *_: {DIE}", 0, "replayed 7 dead letters\n"),
        (
            f"send = c.Sender.send; c.Sender.send = lambda s, all: (send(s, all[:3]), {DIE})",
            3,
            "replayed 4 dead letters\n3 had got through before",
        ),
        (f"r.Actions.replayed = lambda *_: {DIE}", 7, "replayed 0 dead letters\n7 had got through before"),
    ],
    ids=["before begun", "before sending", "in the middle of sending", "before it is recorded"],
)
@pytest.mark.usefixtures("short_waits")
def test_a_killed_replay_is_finished_by_the_next(
    clickhouse: Client, settings: Settings, sent: Offsets, death: tuple[str, int, str]
) -> None:
    program, arrived, said = death
    arguments = ("replay", "--topic", settings.kafka_topic, "--yes")
    assert letters_process(settings, f"{FAST}; {program}", *arguments) == -9
    assert len(replays(settings)) == arrived
    produce_bad(settings, good(20))
    assert said in replay_all(settings)
    assert Counter(map(len, replays(settings).values())) == {1: len(BAD)}
    assert dict(actions(clickhouse, settings))["replayed"] == len(BAD)
    ingest_all(settings)
    assert in_both(clickhouse, settings) == everything(settings)


def test_replays_beside_a_running_worker_are_counted_right(clickhouse: Client, settings: Settings) -> None:
    produce_bad(settings, [b"bad %d" % number for number in range(1_200)])
    with running_worker(settings):
        wait_until(lambda: len(landed(clickhouse, settings, "raw.dead_letters")) == 1_200)
        produce_bad(settings, good(500))
        assert "replayed 1,200 dead letters" in replay_all(settings)
        produce_bad(settings, good(500))
        wait_until(lambda: len(in_both(clickhouse, settings)) >= 3_400)
    assert Counter(map(len, replays(settings).values())) == {1: 1_200}
    assert in_both(clickhouse, settings) == everything(settings)


@pytest.mark.usefixtures("clickhouse", "short_waits")
def test_three_replays_at_the_same_time_send_each_letter_once(settings: Settings) -> None:
    produce_bad(settings, [b"bad %d" % number for number in range(1_200)])
    ingest_all(settings)
    codes: list[int] = []
    arguments = ("replay", "--topic", settings.kafka_topic, "--yes")
    threads = [
        threading.Thread(target=lambda: codes.append(letters_process(settings, FAST, *arguments))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {0, 1}
    letters(settings, "replay", "--topic", settings.kafka_topic, "--yes")
    assert Counter(map(len, replays(settings).values())) == {1: 1_200}


def test_only_what_the_filter_means_is_replayed(settings: Settings, sent: Offsets) -> None:
    assert "replayed 1 dead letters" in replay_all(settings, "--reason", "null_value")
    assert list(replays(settings)) == [place(settings, sent[2])]
    assert "replayed 2 dead letters" in replay_all(settings, "--limit", "2")
    assert len(replays(settings)) == 3


def test_a_dry_run_shows_and_sends_nothing(clickhouse: Client, settings: Settings, sent: Offsets) -> None:
    for verb in ("replay", "drop"):
        done = letters(settings, verb, "--topic", settings.kafka_topic, "--dry-run")
        assert (done.code, f"would {verb} 7 dead letters" in done.text) == (0, True)
        assert place(settings, sent[0]) in done.text
    assert replays(settings) == {}
    assert actions(clickhouse, settings) == []


def test_a_dropped_letter_leaves_the_list_stays_in_raw_and_can_be_replayed_by_place(
    clickhouse: Client, settings: Settings, sent: Offsets
) -> None:
    wanted = place(settings, sent[1])
    assert letters(settings, "drop", wanted, "--yes").text == "dropped 1 dead letters\n"
    assert wanted not in letters(settings, "list", "--rows").text
    assert [row["place"] for row in letters(settings, "list", "--rows", "--json", "--state", "dropped").json] == [
        wanted
    ]
    assert in_both(clickhouse, settings) == everything(settings)
    assert "replayed 6 dead letters" in replay_all(settings)
    assert "replayed 1 dead letters" in letters(settings, "replay", wanted, "--yes").text
    assert "was replayed to" in letters(settings, "drop", wanted, "--yes").text
