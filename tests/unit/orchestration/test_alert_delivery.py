"""Each incident ends with exactly one true message in a Slack that misbehaves; the stand-in answers over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from contracts.errors import LookFirst, RetryLater
from local.ports import free_ports
from orchestration.alerts.channels.log import LogChannel
from orchestration.alerts.channels.slack import STAND_IN_TOKEN, SlackChannel
from orchestration.alerts.incidents import Action
from tests.alert_tools import NOON, Desk, MemoryStore, StandIn, passing, rules_of, seen, slack_settings, slack_stand_in

CHART = {"times": ["2026-01-01T11:00:00", "2026-01-01T12:00:00"], "observed": [4, 40], "expected": [5, 5]}


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with slack_stand_in(tmp_path) as running:
        yield running


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def desk(stand_in: StandIn, store: MemoryStore) -> Desk:
    return Desk(store, slack_settings(stand_in))


def test_an_incident_of_fifty_evaluations_is_one_message_that_turns_green(stand_in: StandIn, desk: Desk) -> None:
    for at in range(0, 250, 5):
        desk.tick(seen(at, "i1"), at=at)
    desk.tick(passing(250), at=250)
    posted, updated = stand_in.calls()
    assert (posted["method"], updated["method"]) == ("chat.postMessage", "chat.update")
    assert posted["ts"] == updated["ts"]
    assert updated["text"].startswith("Resolved")
    assert updated["attachments"][0]["color"] == "#2eb67d"
    assert "seen 50 times" in str(updated)


def test_another_item_edits_the_message_and_notes_it_in_its_thread(stand_in: StandIn, desk: Desk) -> None:
    desk.tick(seen(0, "i1"), at=0)
    desk.tick(seen(5, "i1", "i2"), at=5)
    assert stand_in.methods() == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert stand_in.calls()[2]["thread_ts"] == stand_in.calls()[0]["ts"]
    assert stand_in.notes() == ["Also now: i2. Item i1 sold 90."]


def test_the_incident_knows_where_its_message_stands(stand_in: StandIn, desk: Desk, store: MemoryStore) -> None:
    desk.tick(seen(0), at=0)
    desk.tick(at=5)
    (incident,) = store.incidents.values()
    assert (incident.channel, incident.ts) == ("C0LOCAL", stand_in.calls()[0]["ts"])


def test_acknowledging_turns_the_message_blue_and_escalating_calls_the_owner(
    stand_in: StandIn, desk: Desk, store: MemoryStore
) -> None:
    desk.tick(seen(0, owner="shop"), at=0)
    assert "<@U1>" in str(stand_in.calls()[0]["attachments"])
    desk.tick(at=1800)
    assert stand_in.notes() == ["<@U1> Nobody has acknowledged this for 30 min."]
    store.done.append(Action("a", next(iter(store.incidents)), "ack", "ann", NOON))
    desk.tick(at=1805)
    desk.tick(at=1810)
    assert stand_in.shown().startswith("Acknowledged by ann")
    assert stand_in.calls()[-1]["attachments"][0]["color"] == "#36c5f0"
    assert len(stand_in.calls()) == 4


# An hour of each kind of trouble, and whether the calls of that hour reach Slack nevertheless.
TROUBLES = {
    "429": {"status": 429, "retry_after": 45},
    "500": {"status": 500},
    "500 that worked": {"status": 500, "accept": True},
    "time-outs": {"hang": 0.2},
    "time-outs that worked": {"hang": 0.2, "accept": True},
    "dropped": {"drop": True},
    "dropped after it worked": {"drop": True, "accept": True},
    "invalid_blocks": {"error": "invalid_blocks", "blocks": True},
    "revoked": {"error": "token_revoked"},
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_after_an_hour_of_trouble_each_incident_has_exactly_one_true_message(
    stand_in: StandIn, desk: Desk, trouble: str
) -> None:
    """Three incidents: one from before it, one that lasts longer than it, one that comes and goes within it."""
    desk.tick(seen(-60, subject="check:before"), at=-60)
    stand_in.misbehave(times=100_000, **TROUBLES[trouble])
    desk.timeout = 0.1 if "time" in trouble else 10.0
    step = 300 if "time" in trouble else 60
    for at in range(0, 3600, step):
        within = seen(at, subject="check:within") if at < 1800 else passing(at, subject="check:within")
        desk.tick(seen(at, subject="check:lasts"), within, passing(at, subject="check:before"), at=at)
    stand_in.behave()
    desk.timeout = 10.0
    for at in range(3600, 4500, 60):
        desk.tick(seen(at, subject="check:lasts"), at=at)
    desk.tick(passing(4500, subject="check:lasts"), at=4500)
    assert len(stand_in.posts()) == 3
    last = {call["ts"]: call["text"] for call in stand_in.calls() if not call.get("thread_ts")}
    assert [text.split(":")[0] for text in last.values()] == ["Resolved"] * 3
    assert desk.store.waiting() == []


def test_a_retry_after_is_honoured_by_everything_for_that_channel(stand_in: StandIn, desk: Desk) -> None:
    stand_in.misbehave(status=429, retry_after=40, times=1)
    outcome = desk.tick(seen(0), at=0)
    assert "Slack asks to wait 40 s" in outcome.troubles[0]
    desk.tick(seen(39, subject="check:other"), at=39)
    assert stand_in.calls() == []
    desk.tick(at=41)
    assert len(stand_in.posts()) == 2


def test_a_slack_that_cannot_be_reached_is_asked_again_ever_more_rarely(store: MemoryStore, stand_in: StandIn) -> None:
    (nobody,) = free_ports(1)
    away = slack_settings(stand_in, slack_api_url=f"http://127.0.0.1:{nobody}/api/")
    tries = sum(bool(Desk(store, away).tick(seen(at), at=at).troubles) for at in range(0, 3600, 5))
    assert 12 < tries < 80
    assert Desk(store, slack_settings(stand_in)).tick(at=3900).sent == 1
    assert len(stand_in.posts()) == 1


def test_one_message_that_slack_refuses_does_not_stop_the_others(stand_in: StandIn, desk: Desk) -> None:
    stand_in.misbehave(error="msg_blocks_too_long", times=1)
    outcome = desk.tick(seen(0), seen(1, subject="check:other"), at=1)
    assert outcome.sent == 1
    assert "msg_blocks_too_long" in outcome.troubles[0]
    # Which of the two comes first is the order of their ids, in which the day has a part.
    assert sorted(row.state for row in desk.store.outbox.values()) == ["delivered", "rejected"]


def test_a_message_that_cannot_even_be_made_does_not_stop_the_others(
    stand_in: StandIn, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One check's odd chart would otherwise keep every alert from being sent, at every tick."""
    odd = {"chart": {"observed": [1], "expected": [{}]}, "observed": {"no": ["number"]}}
    desk.tick(seen(0, values=odd), at=0)
    unreadable = replace(next(iter(desk.store.outbox.values())), id="x", incident="y", payload="{}", state="pending")
    desk.store.write_outbox([unreadable])
    desk.tick(at=15)
    assert [call["text"].split(".")[0] for call in stand_in.posts()] == [
        *("Check failed: x on marts/fct_item", "A message that cannot be read")
    ]
    monkeypatch.setattr("orchestration.alerts.channels.slack.render", lambda *_: 1 / 0)
    desk.tick(seen(20, subject="check:other"), at=20)
    assert [(row.state, row.last_error) for row in desk.store.outbox.values()][-1] == (
        *("rejected", "ZeroDivisionError: division by zero"),
    )


def test_blocks_that_slack_does_not_take_become_plain_words(stand_in: StandIn, desk: Desk) -> None:
    stand_in.misbehave(error="invalid_blocks", blocks=True, times=5)
    desk.tick(seen(0, values={"observed": 90}), at=0)
    (call,) = stand_in.posts()
    assert call["attachments"] == []
    assert "observed: 90" in call["text"]


def test_a_message_that_somebody_deleted_is_posted_anew(stand_in: StandIn, desk: Desk) -> None:
    desk.tick(seen(0), at=0)
    stand_in.misbehave(error="message_not_found", method="chat.update", times=1)
    desk.tick(passing(5), at=5)
    assert [call["text"].split(":")[0] for call in stand_in.posts()] == ["Check failed", "Resolved"]


def test_a_chart_is_uploaded_and_shown_in_the_message(stand_in: StandIn, desk: Desk) -> None:
    desk.tick(seen(0, values={"chart": CHART}), at=0)
    desk.tick(passing(5), at=5)
    files = [block["slack_file"] for call in stand_in.calls() for block in _blocks(call) if block["type"] == "image"]
    assert files == [{"id": "F0000000"}] * 2


def test_a_chart_that_slack_does_not_take_is_drawn_as_text(stand_in: StandIn, desk: Desk) -> None:
    stand_in.misbehave(error="missing_scope", method="files.getUploadURLExternal", times=1)
    desk.tick(seen(0, values={"chart": CHART}), at=0)
    (call,) = stand_in.posts()
    assert "▁█ 40 (expected 5)" in str(call)


def _blocks(call: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for one in call["attachments"] for block in one["blocks"]]


def test_in_quiet_hours_a_warning_waits_and_an_error_does_not(stand_in: StandIn, desk: Desk) -> None:
    desk.rules = rules_of(quiet_hours={"start": "11:00", "end": "13:30"}, escalate_after_minutes=None)
    desk.tick(seen(0, severity="warning"), seen(0, subject="check:bad"), at=0)
    assert len(stand_in.posts()) == 1
    desk.tick(seen(60, "i2", severity="warning"), at=60)
    desk.tick(passing(1800), at=1800)
    assert len(stand_in.posts()) == 1
    desk.tick(at=5400)
    assert [call["text"].split(":")[0] for call in stand_in.posts()] == ["Check failed", "Resolved"]
    assert stand_in.notes() == []


def test_beyond_the_rate_limit_the_next_message_says_how_many_were_held_back(stand_in: StandIn, desk: Desk) -> None:
    desk.rules = rules_of(rate_limit={"messages": 2, "minutes": 60})
    subjects = [f"check:{number}" for number in range(6)]
    for at, name in enumerate(subjects):
        desk.tick(seen(at, subject=name), at=at)
    desk.tick(*(passing(60, subject=name) for name in subjects[:5]), at=60)
    assert len(stand_in.posts()) == 2
    desk.tick(at=3700)
    third = stand_in.posts()[2:]
    assert len(third) == 1
    assert "3 other messages were held back" in str(third)
    assert desk.store.waiting() == []


def test_a_flood_of_one_group_keeps_no_other_group_back(stand_in: StandIn, desk: Desk) -> None:
    """Thirty of dbt's tests failed at once in a demo, and the spike it had planted would have waited for an hour."""
    desk.rules = rules_of(rate_limit={"messages": 2, "minutes": 60})
    desk.tick(*(seen(0, subject=f"check:{number}", group="dbt") for number in range(30)), at=0)
    desk.tick(seen(5, subject="check:sales", group="remarkable", title="sales"), at=5)
    assert len(stand_in.posts()) == 3
    assert "Check failed: sales" in stand_in.posts()[-1]["text"]


def test_a_channel_that_left_the_rules_is_said_and_given_up(desk: Desk, stand_in: StandIn) -> None:
    stand_in.misbehave(status=500, times=1)
    desk.tick(seen(0), at=0)
    desk.channels = {}
    assert "no channel slack any more" in desk.tick(at=60).troubles[0]


def test_without_a_token_and_a_stand_in_the_message_goes_to_the_log(
    store: MemoryStore, stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = Desk(store, slack_settings(stand_in, slack_api_url="")).tick(seen(0), at=0)
    assert outcome.sent == 1
    assert "Check failed: x on marts/fct_item. Item i1 sold 90." in caplog.text
    assert LogChannel().find("k", NOON) == ""


def test_what_may_have_arrived_is_told_from_what_certainly_did_not(stand_in: StandIn) -> None:
    (nobody,) = free_ports(1)
    gone = SlackChannel(slack_settings(stand_in, slack_api_url=f"http://127.0.0.1:{nobody}/"), timeout=1)
    with pytest.raises(RetryLater) as refused:
        gone.find("k", NOON, "C0LOCAL/1.0")
    assert not isinstance(refused.value, LookFirst)
    stand_in.misbehave(drop=True)
    with pytest.raises(LookFirst):
        SlackChannel(slack_settings(stand_in)).find("k", NOON, "C0LOCAL/1.0")


@pytest.fixture
def client(stand_in: StandIn) -> Callable[..., WebClient]:
    return lambda token=STAND_IN_TOKEN: WebClient(token=token, base_url=f"{stand_in.url}/api/")


def test_the_stand_in_refuses_what_slack_refuses(client: Callable[..., WebClient]) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}
    image = {"type": "image", "slack_file": {"id": "F9"}, "alt_text": "none"}
    for method, body, error in (
        ("chat.postMessage", {"channel": "#c", "text": "t", "blocks": [section]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "#c", "text": "t", "blocks": [image]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "#c", "text": "t", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "", "text": "t"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "#c"}, "no_text"),
        ("conversations.history", {"channel": "#c"}, "channel_not_found"),
        ("files.completeUploadExternal", {"files": [{"id": "F9"}]}, "file_not_found"),
        ("no.such", {}, "unknown_method"),
    ):
        with pytest.raises(SlackApiError, match=error):
            client().api_call(method, json=body)
    with pytest.raises(SlackApiError, match="invalid_auth"):
        client(None).auth_test()
