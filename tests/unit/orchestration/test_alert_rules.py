"""The rules say who is told what, where and when; what makes no sense in them is one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import UserError
from contracts.settings import Settings
from orchestration.alerts.digest import digest_notice, digest_rows, due_day
from orchestration.alerts.incidents import Incident
from orchestration.alerts.lifecycle import Policy, fold
from orchestration.alerts.rules import QuietHours, load_rules
from tests.alert_tools import NOON, passing, rules_of, seen

CHANNELS = {name: {"kind": "log"} for name in ("one", "two", "three")}


def incident(**more: object) -> Incident:
    found = fold(None, seen(0, **more), Policy()).incident
    assert found is not None
    return found


def test_the_first_route_that_matches_says_where_an_incident_goes() -> None:
    routes = [
        {"severity": "error", "group": ["complete", "fre*"], "channels": ["one", "two"]},
        {"owner": "shop", "channels": "three"},
        {"subject": "run:*", "channels": []},
        {"channels": ["one"]},
    ]
    owners = {"shop": {"groups": ["remark*"], "mention": "<@U2>"}}
    rules = rules_of(channels=CHANNELS, routes=routes, owners=owners)
    assert rules.channels_of(incident(group="fresh")) == ("one", "two")
    assert rules.channels_of(incident(group="fresh", severity="warning")) == ("one",)
    assert rules.channels_of(incident(group="remarkable", severity="warning")) == ("three",)
    assert rules.channels_of(incident(subject="run:marts")) == ()
    assert rules.mention_of(incident(group="remarkable")) == "<@U2>"
    assert rules.owner_of(incident(group="remarkable", owner="platform")) == "platform"


def test_without_a_route_an_incident_is_kept_and_told_to_nobody() -> None:
    assert rules_of(routes=[{"group": "x", "channels": ["slack"]}]).channels_of(incident()) == ()


@pytest.mark.parametrize(
    ("hour", "severity", "waits_until"),
    [(23, "warning", 31), (3, "warning", 7), (12, "warning", None), (23, "error", None), (7, "warning", None)],
)
def test_quiet_hours_reach_over_midnight_and_let_errors_through(
    hour: int, severity: str, waits_until: int | None
) -> None:
    hours = QuietHours.model_validate({"start": "22:00", "end": "07:00"})
    day = datetime(2026, 5, 1, tzinfo=UTC)
    expected = None if waits_until is None else day + timedelta(hours=waits_until)
    assert hours.until(day + timedelta(hours=hour), severity) == expected


def test_quiet_hours_are_those_of_their_zone_also_when_the_clocks_change() -> None:
    hours = QuietHours.model_validate({"start": 1320, "end": "07:00", "zone": "Europe/Berlin", "let_through": "none"})
    night = datetime(2026, 3, 28, 22, tzinfo=UTC)
    until = hours.until(night, "error")
    assert until is not None
    assert until.astimezone(UTC) == datetime(2026, 3, 29, 5, tzinfo=UTC)


def test_the_rules_that_ship_are_valid() -> None:
    rules = load_rules(Settings(_env_file=None))
    assert rules.channels_of(incident()) == ("slack",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("channels: {}\nroutes: [{channels: [slak]}]", "routes.0 names the channel 'slak'; there are none"),
        ("channels: {a: {kind: fax}}\nroutes: []", "channels.a.kind: Input should be 'slack', 'email'"),
        ("channels: {a: {kind: log, colour: red}}\nroutes: []", "channels.a.colour: Extra inputs are not permitted"),
        ("channels: {a: {kind: email}}\nroutes: [{channels: [a]}]", "the channel a needs SMTP_HOST"),
        ("channels: {a: {kind: webhook}}\nroutes: [{channels: [a]}]", "the channel a needs ALERT_WEBHOOK_URL"),
        ("channels: {}\nroutes: []\nquiet_hours: {start: '22:00', end: '07:00', zone: Moon}", "no time zone Moon"),
        ("channels: {}\nroutes: []\ndigest: {hour: 24, channels: []}", "digest.hour: Input should be less than"),
        ("channels: {}\nroutes: []\nwatch: [pager]", "watch names the channel 'pager'"),
        ("a: [", "is not YAML"),
        ("", "Input should be a valid dictionary"),
        ("- 1", "Input should be a valid dictionary"),
        ("channels: {a: {kind: log}}\nroutes: [{group: [], channels: [a]}]", "routes.0.group"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        load_rules(Settings(_env_file=None, alert_rules=path))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ALERT_RULES: .*none\.yml cannot be read"):
        load_rules(Settings(_env_file=None, alert_rules=tmp_path / "none.yml"))


DIGEST = rules_of(digest={"hour": 8, "channels": ["slack"]})


@pytest.mark.parametrize(
    ("last", "hour", "due"),
    [
        ("", 9, ""),
        ("2026-05-01", 9, "2026-05-02"),
        ("2026-05-01", 7, ""),
        ("2026-05-02", 23, ""),
        ("2026-04-28", 7, "2026-05-01"),
    ],
)
def test_a_digest_is_due_once_a_day_from_its_hour_on(last: str, hour: int, due: str) -> None:
    assert due_day(DIGEST, last, datetime(2026, 5, 2, hour, tzinfo=UTC)) == due
    assert due_day(rules_of(), last, datetime(2026, 5, 2, hour, tzinfo=UTC)) == ""


def test_the_digest_counts_what_happened_and_lists_what_is_open_first() -> None:
    lasting, over = incident(), fold(incident(subject="b", title="b | c"), passing(60, subject="b"), Policy()).incident
    assert over is not None
    old = replace(over, last_seen=NOON - timedelta(days=3), first_seen=NOON - timedelta(days=3))
    notice = digest_notice("2026-05-02", [over, lasting, old], NOON + timedelta(hours=1), Settings(_env_file=None))
    assert notice.headline == "Digest of 2026-05-02: 2 opened, 1 still open"
    assert notice.table.splitlines()[2:] == [
        "| x on marts/fct_item | open | 1 h 0 min | 1 |",
        "| b \\| c | resolved | 1 min | 1 |",
    ]
    assert DIGEST.digest is not None
    first, again = (digest_rows(DIGEST.digest, "2026-05-02", [], NOON, Settings(_env_file=None)) for _ in range(2))
    assert [row.id for row in first] == [row.id for row in again]
