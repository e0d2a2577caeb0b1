"""Alerts reach a Slack that misbehaves exactly once; the stand-in refuses what Slack refuses."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from local.ports import free_ports
from local.servers import answers_http
from local.service import RunningService, Service
from orchestration.alerts.delivery import Ledger, deliver
from orchestration.alerts.incidents import Observation, fold
from orchestration.alerts.render import render
from orchestration.alerts.slack import STAND_IN_TOKEN, Slack


class StandIn:
    """A running stand-in, its address and what it accepted."""

    def __init__(self, port: int, file: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.file = file

    def misbehave(self, **fault: object) -> None:
        request = urllib.request.Request(f"{self.url}/_faults", json.dumps(fault).encode(), method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def calls(self) -> list[dict[str, Any]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [json.loads(line) for line in lines]

    def methods(self) -> list[str]:
        return [call["method"] for call in self.calls()]


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    (port,) = free_ports(1)
    stand_in = StandIn(port, tmp_path / "slack.jsonl")
    command = (
        sys.executable,
        "-m",
        "local.slack_stand_in",
        "--port",
        str(port),
        "--file",
        str(stand_in.file),
    )
    server = RunningService(Service("slack", command, lambda: answers_http(stand_in.url), ports=(port,)), tmp_path)
    server.start()
    try:
        server.wait_ready()
        yield stand_in
    finally:
        server.stop()


@pytest.fixture
def settings(stand_in: StandIn) -> Settings:
    return Settings(_env_file=None, slack_api_url=f"{stand_in.url}/api/", slack_channel="#alerts")


def seen(at: float, *items: str, failing: bool = True) -> Observation:
    return Observation("check:x", "check", "x on y", at, failing, summary="why", items=items)


def ledger(*observations: Observation) -> Ledger:
    return Ledger({}).after(observations, {})


def test_an_incident_is_one_message_that_turns_green(stand_in: StandIn, settings: Settings) -> None:
    state = deliver(ledger(seen(1, "i1")), settings, 1).ledger
    state = deliver(state.after([seen(2, "i1"), seen(3, "i1")], {}), settings, 3).ledger
    deliver(state.after([seen(4, failing=False)], {}), settings, 4)
    posted, updated = stand_in.calls()
    assert (posted["method"], updated["method"]) == ("chat.postMessage", "chat.update")
    assert posted["ts"] == updated["ts"]
    assert updated["text"].startswith("Resolved")
    assert updated["attachments"][0]["color"] == "#2eb67d"


def test_another_item_edits_the_message_and_notes_it_in_its_thread(stand_in: StandIn, settings: Settings) -> None:
    state = deliver(ledger(seen(1, "i1")), settings, 1).ledger
    deliver(state.after([seen(2, "i1", "i2")], {}), settings, 2)
    first, _, note = stand_in.calls()
    assert stand_in.methods() == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert note["thread_ts"] == first["ts"]
    assert "i2" in note["text"]


@pytest.mark.parametrize("fault", [{"status": 429, "retry_after": 0}, {"status": 500}])
def test_a_passing_refusal_is_retried_at_once(stand_in: StandIn, settings: Settings, fault: dict[str, int]) -> None:
    stand_in.misbehave(**fault, times=1)
    outcome = deliver(ledger(seen(1)), settings, 1)
    assert (outcome.sent, outcome.trouble) == (1, "")
    assert stand_in.methods() == ["chat.postMessage"]


def test_a_long_wait_is_left_to_a_later_tick(stand_in: StandIn, settings: Settings) -> None:
    stand_in.misbehave(status=429, retry_after=40, times=1)
    outcome = deliver(ledger(seen(1)), settings, 100)
    assert "wait 40 s" in outcome.trouble
    early = deliver(outcome.ledger, settings, 139)
    assert (early.sent, stand_in.calls()) == (0, [])
    assert deliver(early.ledger, settings, 141).sent == 1
    assert stand_in.methods() == ["chat.postMessage"]


def test_an_outage_loses_nothing_and_says_each_thing_once(stand_in: StandIn, settings: Settings) -> None:
    stand_in.misbehave(status=500, times=6)
    state = ledger(seen(1, "i1"))
    for at in (2, 3, 4):
        outcome = deliver(state, settings, at)
        assert "Slack has trouble" in outcome.trouble
        state = Ledger.read(outcome.ledger.write()).after([seen(at, "i1")], {})
    assert deliver(state, settings, 5).sent == 1
    assert stand_in.methods() == ["chat.postMessage"]


def test_a_slack_that_cannot_be_reached_is_asked_again(settings: Settings, stand_in: StandIn) -> None:
    (nobody,) = free_ports(1)
    away = settings.model_copy(update={"slack_api_url": f"http://127.0.0.1:{nobody}/api/"})
    outcome = deliver(ledger(seen(1)), away, 1)
    assert "cannot be reached" in outcome.trouble
    assert deliver(outcome.ledger, settings, 2).sent == 1
    assert stand_in.methods() == ["chat.postMessage"]


def test_one_message_that_slack_refuses_does_not_stop_the_others(stand_in: StandIn, settings: Settings) -> None:
    state = deliver(ledger(seen(1)), settings, 1).ledger
    gone = Ledger({}, tuple(fold(state.incidents, seen(2, failing=False))))
    stand_in.misbehave(status=200, error="restricted_action", times=1)
    other = Observation("check:z", "check", "z on y", 3, failing=True, summary="why")
    outcome = deliver(gone.after([other], {}), settings, 3)
    assert outcome.sent == 1
    assert "Slack refuses: restricted_action" in outcome.trouble


def test_without_a_token_and_a_stand_in_the_message_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    plain = Settings(_env_file=None, slack_api_url="")
    outcome = deliver(ledger(seen(1)), plain, 1)
    assert outcome.sent == 1
    assert "Check failed: x on y. why" in caplog.text


def test_a_channel_that_does_not_exist_is_permanent(settings: Settings) -> None:
    slack = Slack(settings)
    incident = ledger(seen(1)).incidents[0]
    with pytest.raises(Permanent, match="message_not_found"):
        slack.update("C0LOCAL", "1.0", render(incident, "http://localhost"))
    assert not issubclass(Permanent, RetryLater)


@pytest.fixture
def client(stand_in: StandIn) -> Callable[..., WebClient]:
    return lambda token=STAND_IN_TOKEN: WebClient(token=token, base_url=f"{stand_in.url}/api/")


def test_the_stand_in_refuses_what_slack_refuses(client: Callable[..., WebClient]) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}
    for body, error in (
        ({"channel": "#c", "text": "t", "blocks": [section]}, "invalid_blocks"),
        ({"channel": "#c", "text": "t", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": "", "text": "t"}, "channel_not_found"),
        ({"channel": "#c"}, "no_text"),
    ):
        with pytest.raises(SlackApiError, match=error):
            client().api_call("chat.postMessage", json=body)
    with pytest.raises(SlackApiError, match="invalid_auth"):
        client(None).auth_test()


def test_the_stand_in_shows_its_messages(stand_in: StandIn, client: Callable[..., WebClient]) -> None:
    assert client().auth_test()["ok"]
    client().chat_postMessage(channel="#c", text="<b>sale</b>")
    page = urllib.request.urlopen(stand_in.url, timeout=5).read().decode()
    assert "&lt;b&gt;sale&lt;/b&gt;" in page
